// One feed for all tabs of a browser, which allows but six connections a server.

import { clocks, Feed, since } from "./feed.js";

const tabs = new Set();
let last = null;

const feed = new Feed((text, age) => {
  last = { text, age, heard: clocks() };
  tabs.forEach((tab) => tab.postMessage({ text, age }));
});

self.onconnect = ({ ports: [tab] }) => {
  tab.onmessage = ({ data }) => {
    if (data === "hello") {
      tabs.add(tab);
      if (last && tabs.size > 1) tab.postMessage({ text: last.text, age: last.age + since(last.heard) });
      feed.start();
    } else {
      tabs.delete(tab);
      if (!tabs.size && feed.timer !== null) feed.stop();
    }
  };
};
