// Package caddymodule makes mfagate a module of the Caddy web server: the app
// "mfa" with its stores and factors, the handler "http.handlers.mfa" with its
// identity sources, the routes of the admin API under /mfa/, and the command
// "caddy mfa".
//
// A store, a factor or an identity source is a guest module, found by its name
// in the namespaces mfa.stores, mfa.factors and mfa.identity. Adding one adds a
// file here, or a module elsewhere, and edits nothing.
package caddymodule
