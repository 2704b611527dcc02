// The registry of the services' images. Apps pull with their identities; the admin user stays off.
param name string
param location string
param tags object
param privateNetwork bool
@description('Whether identities may push and pull from outside too where the network is private.')
param open bool
param zoneRedundant bool
param workspaceId string

// Only Premium has private endpoints and zones.
var premium = privateNetwork || zoneRedundant
var closed = privateNetwork && (!open)

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  // checkov:skip=CKV_AZURE_139:closed by privateNetwork without openRegistry; an open one takes Entra identities alone
  // checkov:skip=CKV_AZURE_163:the pipeline scans what the images are made of before it builds them
  // checkov:skip=CKV_AZURE_166:quarantine needs a scanner that releases images; the pipeline scans before it builds
  name: name
  location: location
  tags: tags
  sku: { name: premium ? 'Premium' : 'Basic' }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
    publicNetworkAccess: closed ? 'Disabled' : 'Enabled'
    networkRuleBypassOptions: 'AzureServices'
    zoneRedundancy: zoneRedundant ? 'Enabled' : 'Disabled'
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log-analytics'
  scope: registry
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

output id string = registry.id
output name string = registry.name
output loginServer string = registry.properties.loginServer
