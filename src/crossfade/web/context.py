"""What a route is handed."""

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from crossfade.app import App

Connection = ASGIConnection[HTTPRouteHandler, object, object, State]
AppRequest = Request[object, object, State]
AppDependency = NamedDependency[App]
