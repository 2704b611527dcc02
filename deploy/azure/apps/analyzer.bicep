// analyzer: readings in, windows and alerts out; one replica for so much lag, never more than there are partitions.
param platform object
param image string
param minReplicas int

var topology = loadJsonContent('../topology.json')
var consumerGroup = 'analyzer'

module identity '../modules/identity.bicep' = {
  name: 'analyzer-identity'
  params: { name: 'id-analyzer-${platform.name}', location: platform.location, tags: platform.tags }
}

module access '../modules/access.bicep' = {
  name: 'analyzer-access'
  params: {
    service: 'analyzer'
    principalId: identity.outputs.principalId
    platform: platform
    hubs: [
      { name: topology.readingsHub, role: 'receiver' }
      { name: topology.insightsHub, role: 'sender' }
    ]
    containers: [
      { name: topology.checkpoints, role: 'contributor' }
      { name: topology.snapshots, role: 'contributor' }
      { name: topology.deadLetters, role: 'contributor' }
      { name: topology.sites, role: 'reader' }
    ]
  }
}

module app '../modules/container-app.bicep' = {
  name: 'analyzer-app'
  params: {
    service: 'analyzer'
    platform: platform
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    image: image
    cpu: '1.0'
    memory: '2Gi'
    minReplicas: minReplicas
    maxReplicas: topology.partitions
    scaleRules: [
      {
        name: 'readings-lag'
        custom: {
          type: 'azure-eventhub'
          identity: identity.outputs.id
          metadata: {
            eventHubNamespace: platform.eventHubNamespace
            eventHubName: topology.readingsHub
            consumerGroup: consumerGroup
            storageAccountName: platform.storageAccount
            blobContainer: topology.checkpoints
            checkpointStrategy: 'blobMetadata'
            unprocessedEventThreshold: '128'
            activationUnprocessedEventThreshold: '0'
          }
        }
      }
    ]
  }
  dependsOn: [access]
}

output appId string = app.outputs.id
