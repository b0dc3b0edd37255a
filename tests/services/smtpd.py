# A real mail server (aiosmtpd) on loopback, for the tests of this folder. It takes
# all mail into a Maildir and prints its port.
# usage: smtpd.py MAILDIR none|starttls|implicit CERTIFICATE KEY [PASSWORD]
import asyncio
import ssl
import sys

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult

maildir, way, certificate, key = sys.argv[1:5]
password = sys.argv[5] if len(sys.argv) > 5 else None


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"gate", password.encode())
    return AuthResult(success=right, handled=False)


def conversation():
    options = {"hostname": "localhost", "enable_SMTPUTF8": True}
    if way == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if password:
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": way == "starttls"}
    return SMTP(Mailbox(maildir), **options)


async def serve():
    server = await asyncio.get_running_loop().create_server(
        conversation, "127.0.0.1", 0, ssl=context if way == "implicit" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


context = None
if way != "none":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
asyncio.run(serve())
