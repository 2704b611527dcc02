// thumbnailer: one replica for every few photos that wait in the queue, none when none wait.
param platform object
param image string
param minReplicas int

var topology = loadJsonContent('../topology.json')

module identity '../modules/identity.bicep' = {
  name: 'thumbnailer-identity'
  params: { name: 'id-thumbnailer-${platform.name}', location: platform.location, tags: platform.tags }
}

module access '../modules/access.bicep' = {
  name: 'thumbnailer-access'
  params: {
    service: 'thumbnailer'
    principalId: identity.outputs.principalId
    platform: platform
    hubs: [{ name: topology.insightsHub, role: 'sender' }]
    containers: [
      { name: topology.uploads, role: 'reader' }
      { name: topology.thumbnails, role: 'contributor' }
      { name: topology.receipts, role: 'contributor' }
      { name: topology.snapshots, role: 'contributor' }
    ]
    queues: [
      // Takes and hides messages, queues what the scan found, and lets the scale rule ask for the queue's length.
      { name: topology.uploadsQueue, role: 'contributor' }
      { name: topology.poisonQueue, role: 'sender' }
    ]
  }
}

module app '../modules/container-app.bicep' = {
  name: 'thumbnailer-app'
  params: {
    service: 'thumbnailer'
    platform: platform
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    image: image
    cpu: '1.0'
    memory: '2Gi'
    // Event Grid tells of each photo at once; the scan, which lists all of them, is for what it should fail to tell.
    settings: [
      { name: 'HELIOGRAPH_SCAN_INTERVAL_S', value: '60' }
      { name: 'HELIOGRAPH_SCAN_GRACE_S', value: '120' }
    ]
    minReplicas: minReplicas
    maxReplicas: 8
    scaleRules: [
      {
        name: 'photos-waiting'
        custom: {
          type: 'azure-queue'
          identity: identity.outputs.id
          metadata: {
            accountName: platform.storageAccount
            queueName: topology.uploadsQueue
            queueLength: '5'
            activationQueueLength: '0'
          }
        }
      }
    ]
  }
  dependsOn: [access]
}

output appId string = app.outputs.id
