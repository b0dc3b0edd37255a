// Who may sign in to Node-RED, and that it keeps to itself.
const env = process.env
const hash = password => require(process.cwd() + '/node_modules/bcryptjs').hashSync(password, 8)

module.exports = {
  uiPort: Number(env.PORT),
  uiHost: env.BIND,
  userDir: env.DIR + '/user',
  flowFile: 'flows.json',
  credentialSecret: 'legacy',
  telemetry: { enabled: false, updateNotification: false },
  diagnostics: { enabled: false },
  adminAuth: {
    type: 'credentials',
    sessionExpiryTime: 3600,
    users: [
      { username: 'alice', password: hash(env.PASSWORD_ALICE), permissions: '*' },
      { username: 'bob', password: hash(env.PASSWORD_BOB), permissions: 'read' },
    ],
  },
  httpNodeAuth: { user: 'alice', pass: hash(env.PASSWORD_ALICE) },
  externalModules: { autoInstall: false, palette: { allowInstall: false, allowUpload: false } },
  editorTheme: { tours: false, palette: { editable: false, catalogues: [] } },
  logging: { console: { level: 'info' } },
}
