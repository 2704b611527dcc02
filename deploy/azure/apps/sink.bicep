// sink: the only writer of Cosmos DB.
param platform object
param image string
param minReplicas int

var topology = loadJsonContent('../topology.json')
var consumerGroup = 'sink'

module identity '../modules/identity.bicep' = {
  name: 'sink-identity'
  params: { name: 'id-sink-${platform.name}', location: platform.location, tags: platform.tags }
}

module access '../modules/access.bicep' = {
  name: 'sink-access'
  params: {
    service: 'sink'
    principalId: identity.outputs.principalId
    platform: platform
    hubs: [{ name: topology.insightsHub, role: 'receiver' }]
    containers: [
      { name: topology.checkpoints, role: 'contributor' }
      { name: topology.deadLetters, role: 'contributor' }
    ]
    cosmosRole: 'contributor'
  }
}

module app '../modules/container-app.bicep' = {
  name: 'sink-app'
  params: {
    service: 'sink'
    platform: platform
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    image: image
    cpu: '0.5'
    memory: '1Gi'
    settings: [{ name: 'HELIOGRAPH_COSMOS_ENDPOINT', value: platform.cosmosEndpoint }]
    minReplicas: minReplicas
    maxReplicas: topology.partitions
    scaleRules: [
      {
        name: 'insights-lag'
        custom: {
          type: 'azure-eventhub'
          identity: identity.outputs.id
          metadata: {
            eventHubNamespace: platform.eventHubNamespace
            eventHubName: topology.insightsHub
            consumerGroup: consumerGroup
            storageAccountName: platform.storageAccount
            blobContainer: topology.checkpoints
            checkpointStrategy: 'blobMetadata'
            unprocessedEventThreshold: '64'
            activationUnprocessedEventThreshold: '0'
          }
        }
      }
    ]
  }
  dependsOn: [access]
}

output appId string = app.outputs.id
