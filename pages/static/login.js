// On pages with the login form of apps whose own scripts sign in and stay on the page:
// leads to the second factor when an answer says that one is missing, and from an app
// whose session is over back to its form. From then on the app's scripts learn nothing more:
// many would take the refusal for the end of their session, and throw away the token that they
// have just been given.
"use strict";

(function () {
  var signedIn = document.currentScript.hasAttribute("data-signed-in");
  var going = false;

  function follow(to, from) {
    if (going || !to || to[0] !== "/" || to[1] === "/" || to[1] === "\\") return;
    if (from.indexOf(location.origin + "/") !== 0) return; // another site's word
    if (to.indexOf("/.mfa/") !== 0) {
      if (!signedIn || leftJustNow()) return; // here is the form: a reload would never end
    } else if (signedIn && to.indexOf("?") < 0) {
      to += "?return=" + encodeURIComponent(location.pathname + location.search);
    }
    going = true;
    location.assign(to);
  }

  // Who comes back by the browser's own button finds the page as it was.
  addEventListener("pageshow", function (event) {
    if (event.persisted) going = false;
  });

  function never() {
    return new Promise(function () {});
  }

  function leftJustNow() {
    try {
      var last = Number(sessionStorage.getItem("mfagate-left"));
      sessionStorage.setItem("mfagate-left", String(Date.now()));
      return Date.now() - last < 10000;
    } catch (e) {
      return true; // nobody would know the next time
    }
  }

  // What a worker or a WebSocket sends is out of sight here. So after somebody may have sent a
  // password the gate is asked whether it waits for them, a few times, since the app may be slow.
  var fetch = window.fetch;
  var asking = 0;

  function askSoon(event) {
    if (signedIn || !fetch || !event.isTrusted || event.type === "keydown" && event.key !== "Enter") return;
    if (!document.querySelector("input[type=password]")) return;
    clearTimeout(asking);
    ask([1500, 2500, 6000, 15000, 30000]);
  }

  function ask(waits) {
    if (waits.length === 0) return;
    asking = setTimeout(function () {
      if (going) return;
      fetch("/.mfa/api/v1/session", { headers: { Accept: "application/json" } }).then(function (answer) {
        return answer.ok ? answer.json() : {};
      }).then(function (session) {
        if (session.state === "enroll" || session.state === "challenge") follow("/.mfa/" + session.state, location.href);
        else ask(waits.slice(1));
      }).catch(function () {}); // the app's page goes on without
    }, waits[0]);
  }

  addEventListener("click", askSoon, true);
  addEventListener("keydown", askSoon, true);

  if (fetch) {
    window.fetch = function () {
      if (going) return never();
      return fetch.apply(this, arguments).then(function (answer) {
        follow(answer.headers.get("Mfa-Location"), answer.url);
        return going && !answer.ok ? never() : answer;
      });
    };
  }

  var send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function () {
    if (going) return;
    var seen = false;
    this.addEventListener("readystatechange", function () {
      if (this.readyState < 2 || seen) return; // what blocks the page comes to its end at once
      seen = true;
      if (this.responseURL.indexOf(location.origin + "/") !== 0) return;
      follow(this.getResponseHeader("Mfa-Location"), this.responseURL);
      if (going && this.status >= 400) this.abort();
    });
    return send.apply(this, arguments);
  };
})();
