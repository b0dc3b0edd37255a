// On pages with the login form of apps whose own scripts sign in and stay on the page:
// leads to the second factor when an answer says that one is missing, and from an app
// whose session is over back to its form.
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

  function leftJustNow() {
    try {
      var last = Number(sessionStorage.getItem("mfagate-left"));
      sessionStorage.setItem("mfagate-left", String(Date.now()));
      return Date.now() - last < 10000;
    } catch (e) {
      return true; // nobody would know the next time
    }
  }

  if (window.fetch) {
    var fetch = window.fetch;
    window.fetch = function () {
      return fetch.apply(this, arguments).then(function (answer) {
        follow(answer.headers.get("Mfa-Location"), answer.url);
        return answer;
      });
    };
  }

  var send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function () {
    this.addEventListener("readystatechange", function () {
      if (this.readyState !== 2 || this.responseURL.indexOf(location.origin + "/") !== 0) return;
      follow(this.getResponseHeader("Mfa-Location"), this.responseURL);
    });
    return send.apply(this, arguments);
  };
})();
