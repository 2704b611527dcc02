using 'main.bicep'

// A nation: every layer over three zones, private endpoints, autoscaled Cosmos DB, the readings kept as Avro.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'heliograph-prod')
param location = readEnvironmentVariable('AZURE_LOCATION', 'koreacentral')
param images = {
  ingest: readEnvironmentVariable('INGEST_IMAGE', '')
  analyzer: readEnvironmentVariable('ANALYZER_IMAGE', '')
  sink: readEnvironmentVariable('SINK_IMAGE', '')
  thumbnailer: readEnvironmentVariable('THUMBNAILER_IMAGE', '')
  dashboard: readEnvironmentVariable('DASHBOARD_IMAGE', '')
}
// Pipelines give empty texts for what nobody set.
var moreSettings = readEnvironmentVariable('HELIOGRAPH_INGEST_SETTINGS', '')
var dashboardMore = readEnvironmentVariable('HELIOGRAPH_DASHBOARD_SETTINGS', '')
var secrets = readEnvironmentVariable('HELIOGRAPH_INGEST_SECRETS', '')
var ranges = readEnvironmentVariable('HELIOGRAPH_ALLOWED_IP_RANGES', '')
var emails = readEnvironmentVariable('HELIOGRAPH_ALERT_EMAILS', '')
var budgetStart = readEnvironmentVariable('HELIOGRAPH_BUDGET_START', '')

var sources = { HELIOGRAPH_SOURCES: readEnvironmentVariable('HELIOGRAPH_SOURCES') }

param ingestSettings = empty(moreSettings) ? sources : union(sources, json(moreSettings))
param ingestSecrets = empty(secrets) ? {} : json(secrets)
var signIn = {
  HELIOGRAPH_ACCESS: 'entra'
  HELIOGRAPH_ENTRA_TENANT_ID: readEnvironmentVariable('HELIOGRAPH_ENTRA_TENANT_ID')
}
param dashboardSettings = empty(dashboardMore) ? signIn : union(signIn, json(dashboardMore))
param zoneRedundant = true
param privateNetwork = true
// Runners that GitHub or Azure host push from outside; false where all that push are inside the network.
param openRegistry = true
param allowedIpRanges = empty(ranges) ? [] : split(ranges, ',')
param cosmosAutoscaleMaxRu = 10000
param hubThroughputUnits = 4
param hubMaxThroughputUnits = 20
param hubRetentionHours = 72
param hubCapture = true
param minReplicas = 2
param logRetentionDays = 90
param logDailyCapGb = 10
param alertEmails = empty(emails) ? [] : split(emails, ',')
// A budget's first day can never change, so it is given, and without it there is none.
param monthlyBudget = empty(budgetStart) ? 0 : 3000
param budgetStartDate = budgetStart
