// Where a tab hears of news: one stream serves all tabs, by a shared worker where there is one, else by the tab that
// holds a lock and tells the others. A browser with neither has a stream a tab.

import { Feed } from "./feed.js";

export function listen(hear) {
  if (typeof SharedWorker === "function") share(hear);
  else if (typeof BroadcastChannel === "function" && navigator.locks) lead(hear);
  else new Feed(hear).start();
}

function share(hear) {
  const worker = new SharedWorker(new URL("./worker.js", import.meta.url), { type: "module", name: "crossfade" });
  worker.onerror = () => {
    worker.port.close();
    lead(hear);
  };
  worker.port.onmessage = ({ data }) => hear(data.text, data.age);
  worker.port.postMessage("hello");
  addEventListener("pagehide", () => worker.port.postMessage("bye"));
  addEventListener("pageshow", ({ persisted }) => { if (persisted) worker.port.postMessage("hello"); });
}

function lead(hear) {
  if (!navigator.locks) {
    new Feed(hear).start();
    return;
  }
  const channel = new BroadcastChannel("crossfade");
  channel.onmessage = ({ data }) => hear(data.text, data.age);
  navigator.locks.request("crossfade stream", () => new Promise(() => {  // held until the tab is closed
    new Feed((text, age) => {
      hear(text, age);
      channel.postMessage({ text, age });
    }).start();
  }));
}
