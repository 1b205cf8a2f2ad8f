"""Gatehouse for FastAPI. Copy this file; it needs fastapi, httpx and PyJWT[crypto].

    auth = Gatehouse(issuer="https://auth.example.com", resource="https://api.example.com/v1")
    auth.install(app)

    @app.get("/v1/notes")
    async def notes(who: dict = Depends(auth.require("read"))): ...
"""

import asyncio
import base64
import hashlib
import json
import logging
import re
import time
from collections import OrderedDict
from datetime import datetime, timezone
from typing import Any, Callable, Optional, Sequence
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import jwt
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

log = logging.getLogger("gatehouse")

WELL_KNOWN = "/.well-known/oauth-protected-resource"
IN_A_QUERY = {"access_token", "api_key", "apikey", "api-key", "x-api-key"}
JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]+", re.ASCII)
IDENTITY_HEADER = re.compile(rb"x[-_]auth[-_]", re.IGNORECASE)
# The JSON login's tokens are of this client, which nobody else can be.
LOGIN_CLIENT = "gatehouse"
CACHED_ANSWERS = 10_000
# Five minutes is what Gatehouse promises: a retired key is published for longer, a removed one is gone after that.
KEYS_SECONDS = 300
# Anyone can make up a key id; Gatehouse is asked about unknown ones no more often than this.
UNKNOWN_KEY_SECONDS = 30
# Gatehouse's word on limits and on keys that are being replaced, for the client.
PASSED_ON = (
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-api-key-replaced",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
)


class Refused(Exception):
    """What to answer instead; `install` does so."""

    def __init__(self, status: int, body: bytes, headers: dict):
        self.status, self.body, self.headers = status, body, headers


class Unavailable(Exception):
    """Gatehouse cannot be asked."""


class Gatehouse:
    """
    issuer: Gatehouse's issuer, `https://auth.example.com`.
    resource: this API's identifier, exactly as registered in Gatehouse; tokens must be for it.
    audiences: others to accept. API keys and sign-ins (Gatehouse's JSON login) are for the whole product and need none.
    mode: `remote` asks Gatehouse about everything. `local` reads JWT access tokens by itself and refuses everything
        else; it asks nothing but the public keys, so a revoked token, or that of a disabled user, works until it
        expires. `auto` reads JWTs as `local` does and asks about the rest: API keys, opaque tokens, tokens bound to a key.
    environment: credentials must be of this one. Default: Gatehouse's usual one (`live`), so a key for trying out does not
        pass. With another one `auto` asks about every credential. `*` takes any: then look at `environment` in the answer.
    client_id, client_secret: of this API, made with the resource (`gatehouse resource create`). With them Gatehouse believes
        which address a request came from; without them keys that are allowed from some addresses only are judged by the
        address of this API, and tokens that are bound to a key (DPoP) are refused.
    scopes: every scope of this API, for its metadata document.
    """

    def __init__(
        self,
        issuer: str,
        resource: str,
        audiences: Sequence[str] = (),
        mode: str = "auto",
        environment: Optional[str] = None,
        scopes: Sequence[str] = (),
        client_id: str = "",
        client_secret: str = "",
        key_headers: Sequence[str] = ("x-api-key",),
        jwks_uri: Optional[str] = None,
        timeout_seconds: float = 2.0,
    ):
        if mode not in ("auto", "local", "remote"):
            raise ValueError("mode is auto, local or remote")
        # Tokens name no environment and count as the usual one.
        takes_usual = environment is None or environment == "*"
        if mode == "local" and not takes_usual:
            raise ValueError("access tokens name no environment: use mode auto or remote")
        self.issuer, self.resource, self.mode, self.environment = issuer, resource, mode, environment
        self.audiences = [resource, *audiences]
        self.reads_tokens = mode == "local" or (mode == "auto" and takes_usual)
        self.key_headers = key_headers
        # RFC 6749 2.3.1.
        pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
        own = {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        self.own_proof = own if client_id and client_secret else {}
        parts = urlsplit(resource)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.metadata_path = WELL_KNOWN + ("" if parts.path == "/" else parts.path)
        self.metadata = {
            "resource": resource,
            "authorization_servers": [issuer],
            "bearer_methods_supported": ["header"],
            **({"scopes_supported": list(scopes)} if scopes else {}),
        }
        self._http = httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False)
        self._answers: OrderedDict = OrderedDict()
        self._keys = _KeySet(jwks_uri or f"{issuer}/oauth2/jwks", self._http)

    def install(self, app: FastAPI) -> None:
        """Publishes the metadata (RFC 9728), answers refused requests, keeps X-Auth-* headers of callers out."""

        async def metadata() -> Response:
            headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "max-age=3600"}
            return JSONResponse(self.metadata, headers=headers)

        async def refuse(_: Request, refused: Refused) -> Response:
            return Response(refused.body, refused.status, {**refused.headers, "Cache-Control": "no-store"})

        # At the path of the resource and, for whoever looks there first, at the root.
        for path in sorted({WELL_KNOWN, self.metadata_path}):
            app.add_api_route(path, metadata, include_in_schema=False)
        app.add_exception_handler(Refused, refuse)
        app.add_middleware(_WithoutIdentityHeaders)

    def require(self, *scopes: str) -> Callable:
        """A dependency: lets a request pass whose credential has all of these scopes; with none, any valid credential.
        Gives what `POST /v1/auth/verify` answers."""

        async def check(request: Request, response: Response) -> dict:
            try:
                principal, headers = await self._judge(request, scopes)
            except (Unavailable, httpx.HTTPError, ValueError) as error:
                log.error("Gatehouse cannot be asked: %r", error)
                body = _problem(503, "temporarily_unavailable", "The credential cannot be checked just now.")
                raise Refused(503, body, {"content-type": "application/problem+json", "retry-after": "1"}) from None
            response.headers.update(headers)
            return principal

        return check

    async def _judge(self, request: Request, scopes: Sequence[str]) -> tuple:
        credential, proof = self._read_credential(request, scopes)
        if self.reads_tokens and proof is None and JWT.fullmatch(credential):
            principal = await self._read_token(credential)
            if principal is not None:
                missing = next((scope for scope in scopes if scope not in principal["scopes"]), None)
                if missing is None:
                    return principal, {}
                detail = f"The credential lacks the scope {missing}."
                raise self._refusal(
                    403, "insufficient_scope", detail, error="insufficient_scope", scope=" ".join(scopes)
                )
        if self.mode == "local":
            raise self._invalid_token("This API takes JWT access tokens only.")
        return await self._ask(request, credential, proof, scopes)

    def _read_credential(self, request: Request, scopes: Sequence[str]) -> tuple:
        """The one credential of the request; never one of several, never one in the URL, which ends up in logs."""
        query = parse_qsl(request.url.query, keep_blank_values=True)
        if any(name.lower() in IN_A_QUERY for name, _ in query):
            detail = "Send the credential in a header, not in the URL, and replace it."
            raise self._refusal(400, "invalid_request", detail, error="invalid_request")
        authorization = request.headers.getlist("authorization")
        found = {value for name in self.key_headers for value in request.headers.getlist(name)}
        matched = re.fullmatch(r"(?i:(bearer|dpop)) +([^\s,]+)", authorization[0]) if authorization else None
        if authorization:
            found.add(matched[2] if matched else "")
        if len(found) > 1 or len(authorization) > 1:
            raise self._refusal(400, "invalid_request", "Send one credential.", error="invalid_request")
        if not found:
            # No error code for a request that did not know better (RFC 6750 3.1).
            wanted = {"scope": " ".join(scopes)} if scopes else {}
            raise self._refusal(401, "unauthenticated", "No credential was sent.", **wanted)
        (credential,) = found
        is_bound = matched is not None and matched[1].lower() == "dpop"
        proofs = request.headers.getlist("dpop")
        if credential == "" or len(credential) > 8192 or (is_bound and len(proofs) != 1):
            raise self._invalid_token("The credential is not valid.")
        return credential, proofs[0] if is_bound else None

    async def _read_token(self, token: str) -> Optional[dict]:
        """RFC 9068 4. None for a token that is bound to a key of its holder: only Gatehouse checks the proof."""
        try:
            header = jwt.get_unverified_header(token)
            kind = str(header.get("typ", "")).lower()
            if kind not in ("at+jwt", "application/at+jwt") or header.get("alg") != "ES256" or "crit" in header:
                raise jwt.InvalidTokenError
            key = await self._keys.find(header.get("kid"))
            if key is None:
                raise jwt.InvalidTokenError
            required = ["exp", "iat", "jti", "sub", "aud", "iss", "client_id"]
            claims = jwt.decode(
                token,
                key=key,
                algorithms=["ES256"],
                issuer=self.issuer,
                audience=[*self.audiences, self.issuer],
                options={"require": required},
            )
            # Its own audience is good for a sign-in only; other tokens with it are for Gatehouse's own API.
            named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
            if claims["client_id"] != LOGIN_CLIENT and not set(named) & set(self.audiences):
                raise jwt.InvalidAudienceError
        except jwt.ExpiredSignatureError:
            raise self._invalid_token("The token has expired.") from None
        except jwt.PyJWTError:
            raise self._invalid_token("The credential is not valid.") from None
        return None if "cnf" in claims else _principal_of(claims)

    async def _ask(self, request: Request, credential: str, proof: Optional[str], scopes: Sequence[str]) -> tuple:
        # A socket for both kinds shows IPv4 as IPv6.
        address = re.sub(r"^::ffff:(?=\d+\.)|%.*$", "", request.client.host) if request.client else None
        # A key may be allowed from some addresses only, and a proof is for one request: neither answer is another's.
        about = None if proof else hashlib.sha256(json.dumps([credential, scopes, address]).encode()).digest()
        known = self._answers.get(about)
        if known is not None and known[2] > time.monotonic():
            self._answers.move_to_end(about)
            return json.loads(known[0]), known[1]
        question: dict = {"credential": credential, "required_scopes": list(scopes), "audience": self.audiences}
        headers = dict(self.own_proof)
        if address is not None:
            question["ip"] = address
        if self.environment is not None:
            question["environment"] = self.environment
        if proof is not None:
            headers["dpop"] = proof
            question.update(method=request.method, url=self.origin + request.url.path)
        asked_at = time.monotonic()
        reply = await self._http.post(f"{self.issuer}/v1/auth/verify", json=question, headers=headers)
        passed_on = {name: reply.headers[name] for name in PASSED_ON if name in reply.headers}
        if reply.status_code != 200:
            raise self._refused_by(reply, passed_on, scopes)
        principal = reply.json()
        # From the moment of the question, so that it is never older than Gatehouse allows.
        until = asked_at + _max_age(reply)
        if about is not None and until > time.monotonic():
            self._answers[about] = (reply.text, passed_on, until)
            self._answers.move_to_end(about)
            if len(self._answers) > CACHED_ANSWERS:
                self._answers.popitem(last=False)
        return principal, passed_on

    def _refused_by(self, reply: httpx.Response, passed_on: dict, scopes: Sequence[str]) -> Exception:
        """What Gatehouse says to the client, as it says it; what it says to us is not the client's fault."""
        challenge = reply.headers.get("www-authenticate", "")
        lacks_scope = reply.status_code == 403 and 'error="insufficient_scope"' in challenge
        if reply.status_code not in (401, 429) and not lacks_scope:
            return Unavailable(f"{reply.status_code} {reply.text[:500]}")
        headers = {**passed_on, "content-type": reply.headers.get("content-type", "application/json")}
        if reply.status_code == 401:
            headers.update(self._challenge(error="invalid_token"))
        elif lacks_scope:
            headers.update(self._challenge(error="insufficient_scope", scope=" ".join(scopes)))
        return Refused(reply.status_code, reply.content, headers)

    def _invalid_token(self, detail: str) -> Refused:
        return self._refusal(401, "unauthenticated", detail, error="invalid_token")

    def _refusal(self, status: int, code: str, detail: str, **challenge: str) -> Refused:
        headers = {"content-type": "application/problem+json", **self._challenge(**challenge)}
        return Refused(status, _problem(status, code, detail), headers)

    def _challenge(self, **parts: str) -> dict:
        """RFC 6750 3 and RFC 9728 5.1."""
        every = {**parts, "resource_metadata": self.origin + self.metadata_path}
        return {"www-authenticate": "Bearer " + ", ".join(f'{name}="{value}"' for name, value in every.items())}


class _KeySet:
    """Gatehouse's public keys."""

    def __init__(self, uri: str, http: httpx.AsyncClient):
        self._uri, self._http = uri, http
        self._keys: dict = {}
        self._fetched_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, kid: Any) -> Any:
        if self._age() > KEYS_SECONDS or (kid not in self._keys and self._age() > UNKNOWN_KEY_SECONDS):
            seen = self._fetched_at
            async with self._lock:
                # Somebody else may have fetched while this one waited.
                if self._fetched_at == seen:
                    await self._fetch()
        return self._keys.get(kid)

    def _age(self) -> float:
        return time.monotonic() - self._fetched_at

    async def _fetch(self) -> None:
        reply = await self._http.get(self._uri)
        if reply.status_code != 200:
            raise Unavailable(f"the keys: {reply.status_code}")
        try:
            found = [jwt.PyJWK.from_dict(key) for key in reply.json()["keys"] if key.get("alg") == "ES256"]
        except (jwt.PyJWTError, KeyError) as error:
            raise Unavailable(f"the keys: {error!r}") from error
        self._keys = {key.key_id: key.key for key in found}
        self._fetched_at = time.monotonic()


class _WithoutIdentityHeaders:
    """X-Auth-* is how a proxy says who the caller is. Nobody but a proxy of ours may, and here is none."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if "headers" in scope:
            kept = [(name, value) for name, value in scope["headers"] if not IDENTITY_HEADER.match(name)]
            scope = {**scope, "headers": kept}
        await self.app(scope, receive, send)


def _principal_of(claims: dict) -> dict:
    client = claims["client_id"]
    audience = claims["aud"]
    is_login = client == LOGIN_CLIENT
    return {
        "active": True,
        "method": "login" if is_login else "access_token",
        "subject": claims["sub"],
        "subject_type": "client" if claims["sub"] == client else "user",
        "client_id": None if is_login else client,
        "key_id": None,
        "namespace": None,
        "environment": None,
        "scopes": str(claims.get("scope", "")).split(),
        "audience": audience[0] if isinstance(audience, list) else audience,
        "issued_at": _time(claims["iat"]),
        "expires_at": _time(claims["exp"]),
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _problem(status: int, code: str, detail: str) -> bytes:
    return json.dumps({"status": status, "code": code, "detail": detail}).encode()


def _max_age(reply: httpx.Response) -> int:
    directives = reply.headers.get("cache-control", "")
    found = re.search(r"max-age=(\d+)", directives)
    return 0 if "no-store" in directives or found is None else int(found[1])
