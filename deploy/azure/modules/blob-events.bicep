// What is created and deleted in the container "uploads", brought to the thumbnailer's queue by the topic's own
// identity: the only way through the firewall of the storage account.
param name string
param location string
param tags object
param storageAccountName string

var topology = loadJsonContent('../topology.json')

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageAccountName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    source: account.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

module mayQueue 'queue-role.bicep' = {
  name: 'blob-events-queue'
  params: {
    storageAccountName: storageAccountName
    queueName: topology.uploadsQueue
    role: 'sender'
    principalId: topic.identity.principalId
  }
}

module mayKeepUndelivered 'blob-role.bicep' = {
  name: 'blob-events-undelivered'
  params: {
    storageAccountName: storageAccountName
    containerName: 'undelivered-events'
    role: 'contributor'
    principalId: topic.identity.principalId
  }
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'uploads-to-queue'
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      // A deleted photo's thumbnails go with it, also while the thumbnailer is scaled to zero and no scan runs.
      includedEventTypes: ['Microsoft.Storage.BlobCreated', 'Microsoft.Storage.BlobDeleted']
      subjectBeginsWith: '/blobServices/default/containers/${topology.uploads}/'
    }
    deliveryWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      destination: {
        endpointType: 'StorageQueue'
        properties: {
          resourceId: account.id
          queueName: topology.uploadsQueue
          queueMessageTimeToLiveInSeconds: 604800
        }
      }
    }
    deadLetterWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: account.id
          blobContainerName: 'undelivered-events'
        }
      }
    }
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
  }
  dependsOn: [mayQueue, mayKeepUndelivered]
}
