"""What a route is handed."""

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency

from crossfade.app import App

AppRequest = Request[object, object, State]
AppDependency = NamedDependency[App]
