// Heliograph on Azure Container Apps: the entry point of `azd up` and of `az deployment sub create`.
targetScope = 'subscription'

@description('Name of this installation, e.g. heliograph-dev. It becomes part of every resource name.')
@minLength(3)
@maxLength(20)
param environmentName string

@description('Region, e.g. koreacentral.')
param location string

@description('Full image name of each service; empty ones run a placeholder until the first deployment.')
param images object = {
  ingest: ''
  analyzer: ''
  sink: ''
  thumbnailer: ''
  dashboard: ''
}

@description('Settings that every app is given, by name, such as HELIOGRAPH_CELLS; a service passes over those of others. None that the deployment sets itself.')
param sharedSettings object = {}

@description('Settings of ingest by name: the sources and what each needs.')
param ingestSettings object = { HELIOGRAPH_SOURCES: 'fleet' }

@description('Settings of ingest that are secret, such as the keys of sources: by name, the address of each in a Key Vault.')
param ingestSecrets object = {}

@description('Settings of the dashboard by name: who may read and who may act.')
param dashboardSettings object = { HELIOGRAPH_ACCESS: 'public' }

@description('Spread every layer over availability zones. Fixed when the Container Apps environment is made.')
param zoneRedundant bool = false

@description('Reach hubs, storage, Cosmos DB and registry by private endpoints alone.')
param privateNetwork bool = false

@description('Keep the registry reachable from outside a private network, for Entra identities that may push: hosted pipelines need it.')
param openRegistry bool = false

@description('Address ranges that may open the page, push readings and reach the data services; empty: the page and the API are open to all, the data services to nobody.')
param allowedIpRanges array = []

@description('Request units a second that Cosmos DB scales up to; 0 for serverless. Fixed when the account is made.')
param cosmosAutoscaleMaxRu int = 0

@minValue(1)
@maxValue(40)
param hubThroughputUnits int = 1

@description('Where auto-inflate ends.')
@minValue(1)
@maxValue(40)
param hubMaxThroughputUnits int = 4

@minValue(1)
@maxValue(168)
param hubRetentionHours int = 24

@description('Keep every reading as Avro in the storage account, for replay.')
param hubCapture bool = false

@description('Replicas that a service keeps when idle; ingest and dashboard keep at least one.')
@minValue(0)
@maxValue(8)
param minReplicas int = 0

@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Gigabytes of logs a day after which they are dropped; -1 for no cap.')
param logDailyCapGb int = 1

@description('Who gets the alerts.')
param alertEmails array = []

@description('Monthly budget in the currency of the subscription; 0 for none. It warns and stops nothing.')
param monthlyBudget int = 0

@description('First day of the month that the budget begins in, e.g. 2026-01-01. It can never change once the budget is made.')
param budgetStartDate string = ''

var tags = {
  'azd-env-name': environmentName
  application: 'heliograph'
}

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module resources 'resources.bicep' = {
  scope: group
  name: 'heliograph'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    images: images
    sharedSettings: sharedSettings
    ingestSettings: ingestSettings
    ingestSecrets: ingestSecrets
    dashboardSettings: dashboardSettings
    zoneRedundant: zoneRedundant
    privateNetwork: privateNetwork
    openRegistry: openRegistry
    allowedIpRanges: allowedIpRanges
    cosmosAutoscaleMaxRu: cosmosAutoscaleMaxRu
    hubThroughputUnits: hubThroughputUnits
    hubMaxThroughputUnits: hubMaxThroughputUnits
    hubRetentionHours: hubRetentionHours
    hubCapture: hubCapture
    minReplicas: minReplicas
    logRetentionDays: logRetentionDays
    logDailyCapGb: logDailyCapGb
    alertEmails: alertEmails
    monthlyBudget: monthlyBudget
    budgetStartDate: budgetStartDate
  }
}

// The names that azd reads.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_CONTAINER_REGISTRY_NAME string = resources.outputs.registryName
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = resources.outputs.registryServer
output HELIOGRAPH_DASHBOARD_HOST string = resources.outputs.dashboardHost
output HELIOGRAPH_INGEST_HOST string = resources.outputs.ingestHost
