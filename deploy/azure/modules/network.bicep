// The virtual network: one subnet for the container apps, one for private endpoints.
param name string
param location string
param tags object
param privateNetwork bool

// Without private endpoints, service endpoints let the data services refuse all but this subnet, at no cost.
var serviceEndpoints = [
  { service: 'Microsoft.Storage' }
  { service: 'Microsoft.EventHub' }
  { service: 'Microsoft.AzureCosmosDB' }
]

resource appsGroup 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${name}-apps'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'https-in'
        properties: {
          access: 'Allow'
          direction: 'Inbound'
          priority: 100
          protocol: 'Tcp'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRanges: ['443', '31443']
          description: 'The ingress of the container apps, which filters by address itself.'
        }
      }
    ]
  }
}

resource endpointsGroup 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${name}-endpoints'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'internet-in'
        properties: {
          access: 'Deny'
          direction: 'Inbound'
          priority: 100
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
          description: 'Private endpoints answer the virtual network only.'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'vnet-${name}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.40.0.0/16'] }
    subnets: [
      {
        // Fixed when the environment is made. A revision change briefly doubles the addresses in use: /24 bears it.
        name: 'apps'
        properties: {
          addressPrefix: '10.40.0.0/24'
          networkSecurityGroup: { id: appsGroup.id }
          serviceEndpoints: privateNetwork ? [] : serviceEndpoints
          delegations: [
            {
              name: 'container-apps'
              properties: { serviceName: 'Microsoft.App/environments' }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.40.1.0/26'
          networkSecurityGroup: { id: endpointsGroup.id }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

output networkId string = network.id
output appsSubnetId string = network.properties.subnets[0].id
output endpointsSubnetId string = network.properties.subnets[1].id
