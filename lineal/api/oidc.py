"""OpenID Connect: the authorization code flow with PKCE (RFC 7636), and what makes its answer be believed.

OpenID Connect Core 1.0, sections 3.1 and 3.1.3.7; Discovery 1.0; RFC 9207. State, nonce and PKCE's secret wait in a
signed cookie of the browser that began, so that only there an answer is taken, and by whichever server process.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from lineal.backend.local.vouched import Vouched
from lineal.core.errors import InvalidSettings, LoginRefused, MissingDependency, Unavailable
from lineal.core.settings import environment

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

_ALGORITHMS: Final = tuple(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512))
_KINDS: Final = {"RSA", "EC"}
_LIFE_S = 600
_LEEWAY_S = 30
_KEPT_S = 3600
_AGAIN_S = 60
_TIMEOUT_S = 10
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Config:
    """An issuer, and who this server is to it. `domains`: whose e-mail makes a new user; `*`: whoever it knows."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    domains: frozenset[str] = frozenset()


class Leaving(NamedTuple):
    """Where the browser goes, and what it is to keep meanwhile."""

    url: str
    flow: str


class Came(NamedTuple):
    """Whom the provider vouches for, and the page that follows."""

    who: Vouched
    next: str


def configured() -> Provider | None:
    """The provider that the environment names, if it names one. Raises invalid.settings, unavailable.dependency."""
    if not (issuer := environment("LINEAL_OIDC_ISSUER")):
        return None
    client_id, secret = environment("LINEAL_OIDC_CLIENT_ID"), environment("LINEAL_OIDC_CLIENT_SECRET")
    if not secret and (file := environment("LINEAL_OIDC_CLIENT_SECRET_FILE")):
        try:
            secret = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise InvalidSettings(f"the file of LINEAL_OIDC_CLIENT_SECRET_FILE can't be read: {problem}") from None
    if not client_id or not secret:
        raise InvalidSettings(
            "with LINEAL_OIDC_ISSUER go LINEAL_OIDC_CLIENT_ID and LINEAL_OIDC_CLIENT_SECRET, or "
            "LINEAL_OIDC_CLIENT_SECRET_FILE: what the provider gave for this server"
        )
    domains = (environment("LINEAL_OIDC_DOMAINS") or "").replace(",", " ").lower().split()
    return Provider(Config(issuer, client_id, secret, frozenset(domains)))


class Provider:
    """One issuer. What it publishes of itself is asked for when first needed, and kept for an hour."""

    def __init__(self, config: Config, *, now: Callable[[], float] = time.time) -> None:
        _import()
        if not _private(config.issuer):
            raise InvalidSettings("LINEAL_OIDC_ISSUER is an https address, as the provider's own pages write it")
        self.domains = config.domains
        self._config, self._now = config, now
        self._seal = hmac.digest(config.client_secret.encode(), b"lineal oidc flow", "sha256")
        self._lock = threading.Lock()
        self._facts: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def begin(self, callback: str, next: str) -> Leaving:
        """Where to send a browser that wants to sign in, to come back to `callback`. Raises unavailable."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            self._config.client_id,
            "code",
            redirect_uri=callback,
            scope="openid profile email",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        flow = {"state": state, "nonce": nonce, "verifier": verifier, "next": next, "ends": self._now() + _LIFE_S}
        return Leaving(url, self._sealed(flow))

    def finish(self, answer: Mapping[str, str], flow: str, callback: str) -> Came:
        """Whom the provider's answer is about, if it is the one to that browser's question.

        Raises unauthenticated.login, unavailable.
        """
        asked = self._opened(flow)
        if not secrets.compare_digest(answer.get("state", "").encode(), asked["state"].encode()):
            raise LoginRefused("that is no answer to what this browser asked; begin again")
        if answer.get("iss", self._config.issuer) != self._config.issuer:
            raise LoginRefused("the answer is another provider's; begin again")
        if "code" not in answer:
            raise LoginRefused(f"the provider refused: {ascii(answer.get('error', 'no reason'))[:80]}")
        token = self._token(answer["code"], asked["verifier"], callback)
        return Came(self._vouched(self._checked(token, asked["nonce"])), asked["next"])

    def _token(self, code: str, verifier: str, callback: str) -> str:
        known = {"client_id": self._config.client_id, "client_secret": self._config.client_secret}
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier}
        ways = self._published().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in ways:
            status, found = _ask("POST", self._endpoint("token_endpoint"), data=body, auth=tuple(known.values()))
        else:
            status, found = _ask("POST", self._endpoint("token_endpoint"), data=body | known)
        if status != 200 or not isinstance(found.get("id_token"), str):
            raise LoginRefused(f"the provider takes back its answer: {ascii(found.get('error', status))[:80]}")
        return str(found["id_token"])

    def _checked(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of the ID token, if it is this issuer's, for us, now, and for that question."""
        claims = self._verified(token)
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        ends, made, now = claims.get("exp"), claims.get("iat"), self._now()
        mine = self._config.client_id
        wrong = {
            "issuer": claims.get("iss") != self._config.issuer,
            "audience": mine not in audiences or claims.get("azp", mine if len(audiences) == 1 else None) != mine,
            "end": not isinstance(ends, int | float) or ends <= now - _LEEWAY_S,
            "time": not isinstance(made, int | float) or made > now + _LEEWAY_S,
            "nonce": not _same(claims.get("nonce"), nonce),
            "subject": not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255,
        }
        if found := [what for what, is_wrong in wrong.items() if is_wrong]:
            raise LoginRefused(f"the provider's word can't be taken: its {', '.join(found)} can't be right")
        return claims

    def _verified(self, token: str) -> dict[str, Any]:
        """What the token says, once a key of the issuer's has signed it. A key not known yet is asked for once."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        for fresh in (False, True):
            keys = self._key_set(fresh=fresh)
            try:
                return dict(jwt.decode(token, keys, algorithms=_ALGORITHMS).claims)
            except (JoseError, ValueError, TypeError, KeyError):
                continue
        raise LoginRefused("the provider's word can't be taken: it is not signed by a key of its own")

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        email = claims.get("email")
        verified = email if isinstance(email, str) and claims.get("email_verified") is True else ""
        name = next((claims[key] for key in ("preferred_username", "name") if isinstance(claims.get(key), str)), "")
        return Vouched(self._config.issuer, claims["sub"], name, verified)

    def _published(self) -> dict[str, Any]:
        """What the issuer publishes of itself (Discovery 1.0, section 4.3: it says its own name)."""
        with self._lock:
            if self._facts is None or self._now() - self._facts[0] > _KEPT_S:
                url = self._config.issuer.rstrip("/") + "/.well-known/openid-configuration"
                status, facts = _ask("GET", url)
                if status != 200 or facts.get("issuer") != self._config.issuer:
                    raise Unavailable(f"{url} is not that of LINEAL_OIDC_ISSUER, which must be written as it says")
                self._facts = (self._now(), facts)
            return self._facts[1]

    def _endpoint(self, name: str) -> str:
        url = self._published().get(name)
        if not isinstance(url, str) or not _private(url):
            raise Unavailable(f"the OpenID Connect provider names no https address as its {name}")
        return url

    def _key_set(self, *, fresh: bool) -> KeySet:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        url = self._endpoint("jwks_uri")
        with self._lock:
            if self._keys is None or self._now() - self._keys[0] > (_AGAIN_S if fresh else _KEPT_S):
                status, found = _ask("GET", url)
                try:
                    listed = [key for key in found["keys"] if key["kty"] in _KINDS and key.get("use", "sig") == "sig"]
                    keys = KeySet.import_key_set({"keys": listed})
                except (JoseError, ValueError, TypeError, KeyError, AttributeError):
                    raise Unavailable(f"the OpenID Connect provider's keys can't be read ({status})") from None
                self._keys = (self._now(), keys)
            return self._keys[1]

    def _sealed(self, flow: Mapping[str, Any]) -> str:
        data = base64.urlsafe_b64encode(json.dumps(flow).encode()).decode()
        return f"{data}.{hmac.digest(self._seal, data.encode(), 'sha256').hex()}"

    def _opened(self, text: str) -> dict[str, Any]:
        data, _, seal = text.partition(".")
        right = hmac.digest(self._seal, data.encode(errors="replace"), "sha256").hex()
        if not secrets.compare_digest(seal.encode(errors="replace"), right.encode()):
            raise LoginRefused("this browser has not begun to sign in here, or its cookies are gone; begin again")
        flow: dict[str, Any] = json.loads(base64.urlsafe_b64decode(data))
        if flow["ends"] <= self._now():
            raise LoginRefused("signing in took more than ten minutes; begin again")
        return flow


def _ask(method: str, url: str, **more: Any) -> tuple[int, dict[str, Any]]:
    import httpx

    try:
        with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False) as client:
            answer = client.request(method, url, headers={"Accept": "application/json"}, **more)
        found = answer.json()
    except (httpx.HTTPError, ValueError) as problem:
        raise Unavailable(
            f"the OpenID Connect provider doesn't answer ({type(problem).__name__}); try later"
        ) from None
    return answer.status_code, found if isinstance(found, dict) else {}


def _private(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    near = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return bool(parts.hostname) and (near or parts.scheme == "https")


def _same(value: object, text: str) -> bool:
    return isinstance(value, str) and secrets.compare_digest(value.encode(errors="replace"), text.encode())


def _import() -> None:
    try:
        import authlib.oauth2  # noqa: F401
        import joserfc  # noqa: F401
    except ImportError:
        raise MissingDependency("OpenID Connect needs authlib and joserfc: pip install 'lineal[server]'") from None
