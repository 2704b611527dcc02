// The Event Hubs namespace: Entra tokens only, closed but for the apps' subnet or a private endpoint.
param name string
param location string
param tags object
param throughputUnits int
@description('Auto-inflate goes up to here and never comes down by itself.')
param maxThroughputUnits int
param retentionHours int
param zoneRedundant bool
param privateNetwork bool
param appsSubnetId string
param allowedIpRanges array
@description('Whether each reading is also kept as Avro in the container "capture".')
param capture bool
param storageAccountName string
param workspaceId string

var topology = loadJsonContent('../topology.json')
var readingsHub = topology.readingsHub

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard', capacity: throughputUnits }
  identity: { type: 'SystemAssigned' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    isAutoInflateEnabled: true
    maximumThroughputUnits: maxThroughputUnits
    zoneRedundant: zoneRedundant
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
  }
}

resource rules 'Microsoft.EventHub/namespaces/networkRuleSets@2024-01-01' = {
  parent: namespace
  name: 'default'
  properties: {
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    defaultAction: 'Deny'
    trustedServiceAccessEnabled: true
    virtualNetworkRules: privateNetwork ? [] : [{ subnet: { id: appsSubnetId } }]
    ipRules: [for range in allowedIpRanges: { ipMask: range, action: 'Allow' }]
  }
}

module captureAccess 'blob-role.bicep' = if (capture) {
  name: 'event-hubs-capture'
  params: {
    storageAccountName: storageAccountName
    containerName: 'capture'
    role: 'contributor'
    principalId: namespace.identity.principalId
  }
}

module hubs 'event-hub.bicep' = [
  for hub in topology.hubs: {
    name: 'hub-${hub.name}'
    params: {
      namespaceName: namespace.name
      name: hub.name
      partitions: hub.partitions
      consumerGroups: hub.consumerGroups
      retentionHours: retentionHours
      capture: capture && (hub.name == readingsHub)
      storageAccountName: storageAccountName
    }
    dependsOn: [captureAccess]
  }
]

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log-analytics'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output id string = namespace.id
output name string = namespace.name
