// On the login pages of apps whose own scripts sign in and stay on the page: leads to
// the second factor when an answer says that one is missing.
"use strict";

(function () {
  function follow(to) {
    if (to && to[0] === "/" && to[1] !== "/" && to[1] !== "\\") location.assign(to);
  }

  if (window.fetch) {
    var fetch = window.fetch;
    window.fetch = function () {
      return fetch.apply(this, arguments).then(function (answer) {
        follow(answer.headers.get("Mfa-Location"));
        return answer;
      });
    };
  }

  var send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function () {
    this.addEventListener("readystatechange", function () {
      if (this.readyState === 2) follow(this.getResponseHeader("Mfa-Location"));
    });
    return send.apply(this, arguments);
  };
})();
