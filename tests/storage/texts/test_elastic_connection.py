"""An address where no fit Elasticsearch answers is named, with its setting and the cure, within ten seconds."""

import datetime
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from storage.errors import BadInput, FinloopError, Part, Refused, Unreachable
from storage.texts.elastic_connection import Access, ElasticConnection

ELASTIC = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
Foreign = Callable[[int, Mapping[str, str], str], AbstractContextManager[str]]


@pytest.fixture
def foreign() -> Foreign:
    """A server on loopback that gives one and the same answer to everything: what else may stand at an address."""

    @contextmanager
    def serve(status: int, headers: Mapping[str, str], body: str) -> Iterator[str]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Keep the test output quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()
        thread.join()

    return serve


def refusal(url: str, kind: type[FinloopError], part: Part = Part.ELASTICSEARCH) -> str:
    began = time.monotonic()
    with pytest.raises(kind) as error:
        ElasticConnection(url)
    assert time.monotonic() - began < 10
    assert error.value.part is part
    return str(error.value)


def info(version: str) -> str:
    return json.dumps({"name": "n", "version": {"number": version}, "tagline": "You Know, for Search"})


def test_nobody_at_the_address_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        message = refusal(address, Unreachable)
    assert message.startswith(f"no Elasticsearch answers at {address}: ")
    assert "connection refused" in message


def test_somebody_who_never_answers_is_given_up_within_ten_seconds() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert address in refusal(address, Unreachable)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [(200, {"Content-Type": "text/html"}, "<h1>hello</h1>"), (200, {"Content-Type": "application/json"}, "{}")],
)
def test_another_service_is_not_taken_for_elasticsearch(
    foreign: Foreign, status: int, headers: Mapping[str, str], body: str
) -> None:
    with foreign(status, headers, body) as url:
        message = refusal(url, BadInput)
    assert f"{url} is not Elasticsearch" in message


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_error_status_is_told(foreign: Foreign, status: int) -> None:
    with foreign(status, {"Content-Type": "text/plain"}, "no") as url:
        message = refusal(url, Unreachable)
    assert url in message
    assert str(status) in message


def test_an_older_elasticsearch_is_refused(foreign: Foreign) -> None:
    with foreign(200, ELASTIC, info("8.18.4")) as url:
        message = refusal(url, BadInput)
    assert f"Elasticsearch 8.18.4 answers at {url}, older than 8.19" in message


@pytest.mark.parametrize("version", ["8.19.0", "8.20.1", "9.0.0", "9.1.0-SNAPSHOT", "10.2.3"])
def test_newer_versions_are_taken(foreign: Foreign, version: str) -> None:
    with foreign(200, ELASTIC, info(version)) as url:
        connection = ElasticConnection(url)
        assert connection.version == version
        connection.close()


def test_wrong_credentials_are_told_without_the_password(foreign: Foreign) -> None:
    with foreign(401, ELASTIC, "{}") as url:
        message = refusal(url.replace("http://", "http://finloop:secret@"), Refused)
    assert url in message
    assert "secret" not in message


@pytest.mark.parametrize("url", ["localhost:9200", "nonsense", "", "http://[::1"])
def test_what_is_no_address_is_told(url: str) -> None:
    assert "address" in refusal(url, BadInput)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "finloop test")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "own.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*plain) + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def secured(certificate: Path, keys: list[str | None]) -> Iterator[str]:
    """An https server that answers as Elasticsearch does, and notes the credentials that come."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("Authorization"))
            self.send_response(200)
            for name, value in {**ELASTIC, "Content-Length": str(len(info("8.19.5")))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(info("8.19.5").encode())

        def log_message(self, *_: object) -> None:
            """Keep the test output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_certificate_of_its_own_is_named_as_the_fault_and_its_ca_is_the_cure(certificate: Path) -> None:
    keys: list[str | None] = []
    with secured(certificate, keys) as url:
        with pytest.raises(Unreachable, match=r"no Elasticsearch answers at https.*certificate") as caught:
            ElasticConnection(url)
        assert caught.value.part is Part.ELASTICSEARCH_CA
        connection = ElasticConnection(url, access=Access(ca=certificate, api_key="abc"))
        connection.close()
    assert connection.version == "8.19.5"
    assert keys == ["ApiKey abc"]


@pytest.mark.parametrize("content", [None, "no certificate", ""])
def test_a_ca_file_that_is_none_is_named(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInput, match=r"ca\.pem") as caught:
        ElasticConnection("https://127.0.0.1:1", access=Access(ca=path))
    assert caught.value.part is Part.ELASTICSEARCH_CA


def test_a_ca_for_an_address_without_https_is_refused(certificate: Path) -> None:
    with pytest.raises(BadInput, match="no https:// address"):
        ElasticConnection("http://127.0.0.1:1", access=Access(ca=certificate))


def test_an_api_key_beside_a_user_is_refused() -> None:
    with pytest.raises(BadInput, match="leave one of them out"):
        ElasticConnection("http://elastic:secret@127.0.0.1:1", access=Access(api_key="abc"))


def test_an_http_address_of_an_https_server_is_said_to_expect_https(certificate: Path) -> None:
    with secured(certificate, []) as url:
        message = refusal(url.replace("https://", "http://"), Unreachable)
    assert "expects https" in message


def test_a_refusal_of_elasticsearch_itself_is_told_with_its_reason(foreign: Foreign) -> None:
    error = json.dumps({"error": {"type": "x", "reason": "the cluster is asleep", "root_cause": []}, "status": 500})
    with foreign(500, ELASTIC, error) as url:
        message = refusal(url, Refused, Part.ELASTICSEARCH_INDEX)
    assert message.startswith(f"Elasticsearch at {url} answers, but refuses: the cluster is asleep")
