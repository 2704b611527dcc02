// dashboard: the live page and its API.
param platform object
param image string
@description('More settings of the dashboard, by name: HELIOGRAPH_ACCESS and what it needs.')
param settings object
param minReplicas int

var topology = loadJsonContent('../topology.json')
var settingsList = [for setting in items(settings): { name: setting.key, value: setting.value }]

module identity '../modules/identity.bicep' = {
  name: 'dashboard-identity'
  params: { name: 'id-dashboard-${platform.name}', location: platform.location, tags: platform.tags }
}

module access '../modules/access.bicep' = {
  name: 'dashboard-access'
  params: {
    service: 'dashboard'
    principalId: identity.outputs.principalId
    platform: platform
    hubs: [
      { name: topology.insightsHub, role: 'receiver' }
      { name: topology.insightsHub, role: 'sender' }
      // It shows when readings came last, which the hub's properties tell.
      { name: topology.readingsHub, role: 'receiver' }
    ]
    containers: [
      { name: topology.uploads, role: 'contributor' }
      { name: topology.thumbnails, role: 'reader' }
      { name: topology.sites, role: 'reader' }
    ]
    cosmosRole: 'reader'
  }
}

module app '../modules/container-app.bicep' = {
  name: 'dashboard-app'
  params: {
    service: 'dashboard'
    platform: platform
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    image: image
    cpu: '0.5'
    memory: '1Gi'
    settings: concat([{ name: 'HELIOGRAPH_COSMOS_ENDPOINT', value: platform.cosmosEndpoint }], settingsList)
    public: true
    minReplicas: max(minReplicas, 1)
    // Each replica reads every partition on its own, and a consumer group bears five such readers. Two, so that an
    // upgrade, when old and new run side by side, stays under five.
    maxReplicas: 2
    // An open page is one request that never ends.
    scaleRules: [{ name: 'open-pages', http: { metadata: { concurrentRequests: '200' } } }]
  }
  dependsOn: [access]
}

output appId string = app.outputs.id
output host string = app.outputs.host
