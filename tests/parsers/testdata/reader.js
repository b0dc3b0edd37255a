// Tells what apps in Node read: a request a line comes in as JSON, and what was read goes
// out as another line.
const querystring = require('node:querystring')
const readline = require('node:readline')

let qs = null
if (process.env.QS) qs = require(process.env.QS)

const bytes = (v, how = 'utf8') => Buffer.from(v, how).toString('base64')
const said = (v) => (v === undefined || v === null ? [] : Array.isArray(v) ? v.flatMap(said) : [bytes(typeof v === 'string' ? v : 'not a text: ' + JSON.stringify(v))])
const reading = (how, user, pass) => ({ how, user: said(user), pass: said(pass) })

function forms(text) {
  const q = querystring.parse(text)
  const u = new URLSearchParams(text)
  const all = [reading('querystring', q.user, q.pass), reading('URLSearchParams', u.getAll('user'), u.getAll('pass'))]
  if (qs) {
    const f = qs.parse(text, { allowPrototypes: true })
    all.push(reading('qs', f.user, f.pass))
  }
  return all
}

async function formData(body, type) {
  const form = await new Response(body, { headers: { 'Content-Type': type } }).formData()
  const texts = (name) => form.getAll(name).map((v) => (typeof v === 'string' ? v : 'a file'))
  return reading('formData', texts('user'), texts('pass'))
}

async function readings(r) {
  const body = Buffer.from(r.body ?? '', 'base64')
  const type = r.type.toLowerCase()
  if (type.includes('json')) {
    const auth = JSON.parse(body.toString('utf8')).auth
    return [reading('JSON.parse', auth?.name, auth?.secret)]
  }
  const all = type.startsWith('multipart/') ? [] : forms(body.toString('utf8'))
  if (type.startsWith('multipart/form-data') || type === 'application/x-www-form-urlencoded') all.push(await formData(body, r.type))
  return all
}

// As the package cookie has it: the first of a name counts, quotation marks go, and escapes
// are undone where that is possible.
function cookies(line) {
  const found = new Map()
  for (const part of line.split(';')) {
    const at = part.indexOf('=')
    if (at < 0) continue
    const name = part.slice(0, at).trim()
    let value = part.slice(at + 1).trim()
    if (value.startsWith('"')) value = value.slice(1, -1)
    try {
      value = decodeURIComponent(value)
    } catch {}
    if (!found.has(name)) found.set(name, value)
  }
  return { how: 'cookie', pairs: [...found].map(([k, v]) => [bytes(k), bytes(v)]) }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const r = JSON.parse(line)
    const answer = { cookies: [cookies(Buffer.from(r.cookie ?? '', 'base64').toString('latin1'))] }
    try {
      answer.readings = await readings(r)
    } catch (e) {
      answer.readings = [{ how: 'node', error: String(e).slice(0, 200) }]
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
}
main()
