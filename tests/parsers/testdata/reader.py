# Tells what apps in Python read: a request a line comes in as JSON, and what was read goes
# out as another line.
import base64, email.parser, email.policy, http.cookies, io, json, sys, urllib.parse, warnings

warnings.simplefilter("ignore")
try:
    import cgi  # until Python 3.12
except ImportError:
    cgi = None
try:
    import werkzeug.formparser, werkzeug.http
except ImportError:
    werkzeug = None


def said(values):
    return [base64.b64encode(v if isinstance(v, bytes) else v.encode("utf-8", "surrogateescape")).decode() for v in values]


def reading(how, pairs):
    pairs = list(pairs)
    return {"how": how, "user": said(v for k, v in pairs if k == "user"), "pass": said(v for k, v in pairs if k == "pass")}


def environ(r):
    return {
        "REQUEST_METHOD": "POST", "CONTENT_TYPE": r["type"], "CONTENT_LENGTH": str(len(r["body"])), "QUERY_STRING": r["query"],
        "wsgi.input": io.BytesIO(r["body"]),
    }


def forms(r):
    text = r["body"].decode("latin-1")
    yield reading("urllib", urllib.parse.parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="surrogateescape"))
    yield from cgi_form(r)


def multipart(r):
    head = b"Content-Type: " + r["type"].encode("latin-1") + b"\r\n\r\n"
    whole = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + r["body"])
    pairs = []
    for part in whole.iter_parts() if whole.is_multipart() else []:
        name = part.get_param("name", header="content-disposition")
        pairs.append((name if isinstance(name, str) else "", part.get_payload(decode=True) or b""))
    yield reading("email", pairs)
    yield from cgi_form(r)


def cgi_form(r):
    if cgi:
        env = environ(r)
        form = cgi.FieldStorage(fp=env["wsgi.input"], environ=dict(env, QUERY_STRING=""), keep_blank_values=True, encoding="utf-8", errors="surrogateescape")
        yield reading("cgi", ((f.name, f.value) for f in form.list or []))
    if werkzeug:
        _, form, files = werkzeug.formparser.parse_form_data(environ(r))
        yield reading("werkzeug", list(form.items(multi=True)) + [(k, "a file") for k in files])


def from_json(r):
    def once(pairs):
        auth = [v for k, v in pairs if k == "auth"]
        return {"pairs": pairs, "auth": auth}

    whole = json.loads(r["body"].decode("utf-8"), object_pairs_hook=once)
    pairs = []
    for auth in whole["auth"] if isinstance(whole, dict) else []:
        for key, value in auth["pairs"] if isinstance(auth, dict) else []:
            pairs.append(({"name": "user", "secret": "pass"}.get(key, ""), value if isinstance(value, str) else "not a text"))
    yield reading("json", pairs)


def readings(r):
    media = r["type"].lower()
    kind = from_json if "json" in media else multipart if media.startswith("multipart/") else forms
    try:
        yield from kind(r)
    except Exception as e:
        yield {"how": kind.__name__, "error": repr(e)[:200]}


def cookies(line):
    def pairs(items):
        return [said([k, v]) for k, v in items]

    jar = http.cookies.SimpleCookie()
    try:
        jar.load(line)
    except http.cookies.CookieError:
        pass
    yield {"how": "http.cookies", "pairs": pairs((k, m.value) for k, m in jar.items())}
    if werkzeug:
        try:
            yield {"how": "werkzeug", "pairs": pairs(werkzeug.http.parse_cookie(line).items(multi=True))}
        except UnicodeDecodeError:
            pass  # an error of the app's


for line in sys.stdin:
    r = json.loads(line)
    r["body"] = base64.b64decode(r.get("body", ""))
    cookie = base64.b64decode(r.get("cookie", "")).decode("latin-1")
    print(json.dumps({"readings": list(readings(r)), "cookies": list(cookies(cookie))}), flush=True)
