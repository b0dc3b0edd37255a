// All pages work without this file. It adds what only a script can do.
"use strict";

// At once, in the head, so that nothing jumps when the page appears.
document.documentElement.classList.add("script");

document.addEventListener("DOMContentLoaded", function () {
  document.querySelectorAll("[data-copy]").forEach(wireCopy);
  document.querySelectorAll("[data-print]").forEach(function (button) {
    button.addEventListener("click", function () { window.print(); });
  });
  document.querySelectorAll("[data-wait]").forEach(announceEnd);
  document.querySelectorAll("details").forEach(focusOnOpen);
  document.querySelectorAll("form").forEach(sendOnce);
  document.querySelectorAll("time").forEach(tellHere);
});

function wireCopy(button) {
  var field = document.getElementById(button.dataset.copy);
  var done = document.getElementById(button.dataset.done);
  button.addEventListener("click", function () {
    copy(field).then(function () { done.textContent = done.dataset.text; }, function () {
      // The browser forbids it: show the field, with its text selected.
      field.parentElement.classList.remove("without-script");
      field.select();
    });
  });
}

function copy(field) {
  if (navigator.clipboard) return navigator.clipboard.writeText(field.value);
  return Promise.reject(new Error("no clipboard"));
}

function announceEnd(note) {
  setTimeout(function () { note.textContent = note.dataset.over; }, 1000 * Number(note.dataset.wait));
}

function focusOnOpen(details) {
  details.addEventListener("toggle", function () {
    var field = details.querySelector("input:not([type=hidden])");
    if (details.open && field) field.focus();
  });
}

// Times are written in UTC, since the server does not know where the person is. The
// browser does. What tells a day only, or stands in a sentence, stays as it is.
function tellHere(time) {
  var at = new Date(time.dateTime);
  if (time.textContent.indexOf("UTC") < 0 || isNaN(at) || !at.getTimezoneOffset()) return;
  var language = document.documentElement.lang;
  time.title = time.textContent;
  time.textContent = at.toLocaleString(language === "en" ? "en-GB" : language, {
    day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  });
}

// A second click must not spend a second try. A download leaves the page as it
// is, and so does the way back through the browser's history.
function sendOnce(form) {
  var sent = false;
  form.addEventListener("submit", function (event) {
    if (event.submitter && event.submitter.value === "download") return;
    if (sent) event.preventDefault();
    sent = true;
    form.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", function () {
    sent = false;
    form.removeAttribute("aria-busy");
  });
}
