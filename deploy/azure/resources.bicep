// Everything in the resource group, in the order in which it is made.
param environmentName string
param location string
param tags object
param images object
param sharedSettings object
param ingestSettings object
param ingestSecrets object
param dashboardSettings object
param zoneRedundant bool
param privateNetwork bool
param openRegistry bool
param allowedIpRanges array
param cosmosAutoscaleMaxRu int
param hubThroughputUnits int
param hubMaxThroughputUnits int
param hubRetentionHours int
param hubCapture bool
param minReplicas int
param logRetentionDays int
param logDailyCapGb int
param alertEmails array
param monthlyBudget int
param budgetStartDate string

// Lower case throughout: KEDA compares checkpoint paths that are only partly lower-cased.
var token = toLower(uniqueString(subscription().id, environmentName, location))
var name = '${toLower(environmentName)}-${take(token, 6)}'
var storageName = 'sthelio${token}'

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    name: name
    location: location
    tags: tags
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
  }
}

module network 'modules/network.bicep' = {
  name: 'network'
  params: { name: name, location: location, tags: tags, privateNetwork: privateNetwork }
}

module registry 'modules/registry.bicep' = {
  name: 'registry'
  params: {
    name: 'crhelio${token}'
    location: location
    tags: tags
    privateNetwork: privateNetwork
    open: openRegistry
    zoneRedundant: zoneRedundant
    workspaceId: monitoring.outputs.workspaceId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: storageName
    location: location
    tags: tags
    zoneRedundant: zoneRedundant
    privateNetwork: privateNetwork
    appsSubnetId: network.outputs.appsSubnetId
    allowedIpRanges: allowedIpRanges
    workspaceId: monitoring.outputs.workspaceId
  }
}

module eventHubs 'modules/event-hubs.bicep' = {
  name: 'event-hubs'
  params: {
    name: 'evhns-${name}'
    location: location
    tags: tags
    throughputUnits: hubThroughputUnits
    maxThroughputUnits: hubMaxThroughputUnits
    retentionHours: hubRetentionHours
    zoneRedundant: zoneRedundant
    privateNetwork: privateNetwork
    appsSubnetId: network.outputs.appsSubnetId
    allowedIpRanges: allowedIpRanges
    capture: hubCapture
    storageAccountName: storage.outputs.name
    workspaceId: monitoring.outputs.workspaceId
  }
}

module blobEvents 'modules/blob-events.bicep' = {
  name: 'blob-events'
  params: {
    name: 'evgt-${name}'
    location: location
    tags: tags
    storageAccountName: storage.outputs.name
  }
}

module cosmos 'modules/cosmos.bicep' = {
  name: 'cosmos'
  params: {
    name: 'cosmos-${name}'
    location: location
    tags: tags
    autoscaleMaxRu: cosmosAutoscaleMaxRu
    zoneRedundant: zoneRedundant
    privateNetwork: privateNetwork
    appsSubnetId: network.outputs.appsSubnetId
    allowedIpRanges: allowedIpRanges
    workspaceId: monitoring.outputs.workspaceId
  }
}

// What a loop runs over must be known before anything is made; the ids of what is made are not, so they stand apart.
var privateDoors = [
  { group: 'namespace', zone: 'privatelink.servicebus.windows.net' }
  { group: 'blob', zone: 'privatelink.blob.${environment().suffixes.storage}' }
  { group: 'queue', zone: 'privatelink.queue.${environment().suffixes.storage}' }
  { group: 'Sql', zone: 'privatelink.documents.azure.com' }
  { group: 'registry', zone: 'privatelink.azurecr.io' }
]
var privateTargets = {
  namespace: eventHubs.outputs.id
  blob: storage.outputs.id
  queue: storage.outputs.id
  Sql: cosmos.outputs.id
  registry: registry.outputs.id
}

module privateEndpoints 'modules/private-endpoint.bicep' = [
  for door in privateDoors: if (privateNetwork) {
    name: 'private-${toLower(door.group)}'
    params: {
      name: name
      location: location
      tags: tags
      networkId: network.outputs.networkId
      subnetId: network.outputs.endpointsSubnetId
      targetId: privateTargets[door.group]
      group: door.group
      zoneName: door.zone
    }
  }
]

module appsEnvironment 'modules/environment.bicep' = {
  name: 'environment'
  params: {
    name: 'cae-${name}'
    location: location
    tags: tags
    zoneRedundant: zoneRedundant
    subnetId: network.outputs.appsSubnetId
    workspaceId: monitoring.outputs.workspaceId
  }
}

// What every app must know of the others.
var platform = {
  name: name
  location: location
  tags: tags
  environmentId: appsEnvironment.outputs.id
  registry: registry.outputs.name
  registryServer: registry.outputs.loginServer
  eventHubNamespace: eventHubs.outputs.name
  storageAccount: storage.outputs.name
  cosmosAccount: cosmos.outputs.name
  cosmosEndpoint: cosmos.outputs.endpoint
  insights: monitoring.outputs.insightsName
  insightsConnectionString: monitoring.outputs.insightsConnectionString
  allowedIpRanges: allowedIpRanges
  settings: sharedSettings
}

module ingest 'apps/ingest.bicep' = {
  name: 'ingest'
  params: {
    platform: platform
    image: images.ingest
    settings: ingestSettings
    secrets: ingestSecrets
    minReplicas: minReplicas
  }
  dependsOn: [privateEndpoints]
}

module analyzer 'apps/analyzer.bicep' = {
  name: 'analyzer'
  params: { platform: platform, image: images.analyzer, minReplicas: minReplicas }
  dependsOn: [privateEndpoints]
}

module sink 'apps/sink.bicep' = {
  name: 'sink'
  params: { platform: platform, image: images.sink, minReplicas: minReplicas }
  dependsOn: [privateEndpoints]
}

module thumbnailer 'apps/thumbnailer.bicep' = {
  name: 'thumbnailer'
  params: { platform: platform, image: images.thumbnailer, minReplicas: minReplicas }
  dependsOn: [privateEndpoints]
}

module dashboard 'apps/dashboard.bicep' = {
  name: 'dashboard'
  params: {
    platform: platform
    image: images.dashboard
    settings: dashboardSettings
    minReplicas: minReplicas
  }
  dependsOn: [privateEndpoints]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    name: name
    location: location
    tags: tags
    emails: alertEmails
    workspaceId: monitoring.outputs.workspaceId
    eventHubNamespaceId: eventHubs.outputs.id
    cosmosAccountId: cosmos.outputs.id
    appIds: [
      ingest.outputs.appId
      analyzer.outputs.appId
      sink.outputs.appId
      thumbnailer.outputs.appId
      dashboard.outputs.appId
    ]
  }
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0) {
  name: 'monthly-budget'
  params: {
    name: name
    amount: monthlyBudget
    emails: alertEmails
    startDate: budgetStartDate
    actionGroupId: alerts.outputs.actionGroupId
  }
}

output registryName string = registry.outputs.name
output registryServer string = registry.outputs.loginServer
output dashboardHost string = dashboard.outputs.host
output ingestHost string = ingest.outputs.host
