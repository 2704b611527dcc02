using 'main.bicep'

// A small installation to try things: serverless Cosmos DB, one throughput unit, apps that go to zero when idle.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'heliograph-dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'koreacentral')
param images = {
  ingest: readEnvironmentVariable('INGEST_IMAGE', '')
  analyzer: readEnvironmentVariable('ANALYZER_IMAGE', '')
  sink: readEnvironmentVariable('SINK_IMAGE', '')
  thumbnailer: readEnvironmentVariable('THUMBNAILER_IMAGE', '')
  dashboard: readEnvironmentVariable('DASHBOARD_IMAGE', '')
}
param ingestSettings = {
  HELIOGRAPH_SOURCES: 'fleet'
  HELIOGRAPH_FLEET_PLANTS: '2000'
}
param hubThroughputUnits = 1
param hubMaxThroughputUnits = 2
param minReplicas = 0
param logRetentionDays = 30
param logDailyCapGb = 1
param alertEmails = []
param monthlyBudget = 0
