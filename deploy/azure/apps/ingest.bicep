// ingest: polls the sources on schedules and takes pushed readings over HTTPS.
param platform object
param image string
@description('More settings of ingest, by name: HELIOGRAPH_SOURCES and those of each source.')
param settings object
@description('Secret settings, by name: the address of each in a Key Vault, which the identity of ingest must be allowed to read.')
param secrets object
param minReplicas int

var topology = loadJsonContent('../topology.json')

var settingsList = [for setting in items(settings): { name: setting.key, value: setting.value }]

module identity '../modules/identity.bicep' = {
  name: 'ingest-identity'
  params: { name: 'id-ingest-${platform.name}', location: platform.location, tags: platform.tags }
}

module access '../modules/access.bicep' = {
  name: 'ingest-access'
  params: {
    service: 'ingest'
    principalId: identity.outputs.principalId
    platform: platform
    hubs: [
      { name: topology.readingsHub, role: 'sender' }
      { name: topology.insightsHub, role: 'sender' }
    ]
    containers: [
      { name: topology.schedules, role: 'contributor' }
      { name: topology.sites, role: 'contributor' }
      { name: topology.deadLetters, role: 'contributor' }
    ]
  }
}

module app '../modules/container-app.bicep' = {
  name: 'ingest-app'
  params: {
    service: 'ingest'
    platform: platform
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    image: image
    cpu: '0.5'
    memory: '1Gi'
    settings: concat([{ name: 'HELIOGRAPH_OUTBOX_DIR', value: '/data/outbox' }], settingsList)
    secrets: secrets
    keepsFiles: true
    public: true
    // Never zero: schedules run here. More than one is safe, since a blob lease gives each schedule one runner.
    minReplicas: max(minReplicas, 1)
    maxReplicas: 4
    scaleRules: [{ name: 'pushed-readings', http: { metadata: { concurrentRequests: '40' } } }]
  }
  dependsOn: [access]
}

output appId string = app.outputs.id
output host string = app.outputs.host
