// For node --require: listen on loopback only, and look up no other names.
const net = require('net')
const dns = require('dns')

const isLoopback = host => !host || host === 'localhost' || host === '::1' || /^127\./.test(host)
const isPort = v => typeof v === 'number' || /^\d+$/.test(v)

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (...args) {
  const host = process.env.BIND || '127.0.0.1'
  if (isPort(args[0]) && typeof args[1] !== 'string') args.splice(1, 0, host)
  else if (args[0] && typeof args[0] === 'object' && args[0].port !== undefined && !args[0].host) args[0].host = host
  return listen.apply(this, args)
}

const lookup = dns.lookup
dns.lookup = function (host, options, callback) {
  if (isLoopback(host)) return lookup.apply(this, arguments)
  const done = typeof options === 'function' ? options : callback
  process.nextTick(() => done(Object.assign(new Error('not looked up: ' + host), { code: 'ENOTFOUND', hostname: host })))
}
