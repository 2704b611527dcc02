// Cosmos DB with the containers, indexes and times to live that the code declares.
param name string
param location string
param tags object
@description('Request units a second that the database scales up to by itself; 0 makes the account serverless.')
param autoscaleMaxRu int
param zoneRedundant bool
param privateNetwork bool
param appsSubnetId string
param allowedIpRanges array
param workspaceId string

var topology = loadJsonContent('../topology.json')
var serverless = autoscaleMaxRu == 0

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-10-15' = {
  // checkov:skip=CKV_AZURE_101:closed by the setting privateNetwork; else open to the apps subnet and the allowed ranges alone
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    consistencyPolicy: { defaultConsistencyLevel: 'Session' }
    capabilities: serverless ? [{ name: 'EnableServerless' }] : []
    locations: [{ locationName: location, failoverPriority: 0, isZoneRedundant: zoneRedundant }]
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: { tier: 'Continuous7Days' }
    }
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    isVirtualNetworkFilterEnabled: !privateNetwork
    virtualNetworkRules: privateNetwork ? [] : [{ id: appsSubnetId }]
    ipRules: [for range in allowedIpRanges: { ipAddressOrRange: range }]
    networkAclBypass: 'None'
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-10-15' = {
  parent: account
  name: topology.database
  properties: {
    resource: { id: topology.database }
    options: serverless ? {} : { autoscaleSettings: { maxThroughput: autoscaleMaxRu } }
  }
}

// Serverless makes one container at a time.
@batchSize(1)
resource containers 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-10-15' = [
  for container in topology.cosmosContainers: {
    parent: database
    name: container.name
    properties: {
      resource: {
        id: container.name
        partitionKey: { paths: [container.partitionKey], kind: 'Hash', version: 2 }
        defaultTtl: container.defaultTtl
        indexingPolicy: container.indexingPolicy
      }
    }
  }
]

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log-analytics'
  scope: account
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      { category: 'ControlPlaneRequests', enabled: true }
      { category: 'PartitionKeyRUConsumption', enabled: true }
    ]
    metrics: [{ category: 'Requests', enabled: true }]
  }
}

output id string = account.id
output name string = account.name
output endpoint string = account.properties.documentEndpoint
