"""W3C trace context: one trace from filing to archive.

Spans are recorded only where an exporter is configured (`configure`); the context travels in any case.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


def configure(service: str, site: str, exporter: SpanExporter | None = None) -> None:
    """Make this process record spans under the service's name, to `exporter` if one is given."""
    resource = Resource.create({"service.name": f"chasqui-{service}", "chasqui.site": site})
    provider = TracerProvider(resource=resource)
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def current_traceparent() -> str | None:
    """The ``traceparent`` of the current span, if there is one."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(name: str, *, carrier: Mapping[str, str], kind: SpanKind = SpanKind.CONSUMER) -> Iterator[None]:
    """A span that continues the trace found in `carrier` (message or HTTP headers), or begins one."""
    context = _PROPAGATOR.extract(dict(carrier))
    with trace.get_tracer("chasqui").start_as_current_span(name, context=context, kind=kind):
        yield
