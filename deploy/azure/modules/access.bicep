// All that one service may do, and nothing else: each right on one hub, container, queue or database.
param service string
param principalId string
@description('Names of the shared resources, see resources.bicep.')
param platform object
@description('Array of {name, role}; role is receiver or sender.')
param hubs array
@description('Array of {name, role}; role is reader or contributor.')
param containers array
@description('Array of {name, role}; role is reader, processor or sender.')
param queues array = []
@description('reader, contributor, or empty for no access to Cosmos DB.')
param cosmosRole string = ''

var topology = loadJsonContent('../topology.json')

module hubRoles 'hub-role.bicep' = [
  for hub in hubs: {
    name: '${service}-${hub.role}-${hub.name}'
    params: {
      namespaceName: platform.eventHubNamespace
      hubName: hub.name
      role: hub.role
      principalId: principalId
    }
  }
]

module blobRoles 'blob-role.bicep' = [
  for container in containers: {
    name: '${service}-blobs-${container.name}'
    params: {
      storageAccountName: platform.storageAccount
      containerName: container.name
      role: container.role
      principalId: principalId
    }
  }
]

module queueRoles 'queue-role.bicep' = [
  for queue in queues: {
    name: '${service}-${queue.role}-${queue.name}'
    params: {
      storageAccountName: platform.storageAccount
      queueName: queue.name
      role: queue.role
      principalId: principalId
    }
  }
]

module cosmosAccess 'cosmos-role.bicep' = if (!empty(cosmosRole)) {
  name: '${service}-cosmos'
  params: {
    accountName: platform.cosmosAccount
    databaseName: topology.database
    role: cosmosRole == 'contributor' ? 'contributor' : 'reader'
    principalId: principalId
  }
}

module pull 'registry-role.bicep' = {
  name: '${service}-images'
  params: { registryName: platform.registry, principalId: principalId }
}

module publish 'insights-role.bicep' = {
  name: '${service}-insights'
  params: { insightsName: platform.insights, principalId: principalId }
}
