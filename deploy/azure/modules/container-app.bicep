// One service as a container app: its own identity, probes, a grace period that matches the drain, no secret but by name.
param service string
param platform object
param identityId string
param identityClientId string
@description('Empty before the first image is pushed: a placeholder then holds the place.')
param image string
@description('Cores, as text, since Bicep knows no fractions: "0.5".')
param cpu string
param memory string
@description('Settings of this service beside those that all have: array of {name, value}.')
param settings array = []
@description('Secret settings: by name, the address of each in a Key Vault.')
param secrets object = {}
@description('Whether the internet may reach it over HTTPS, within the allowed addresses.')
param public bool = false
@description('Whether it has a folder /data that outlives its container, though not its replica.')
param keepsFiles bool = false
param minReplicas int
param maxReplicas int
param scaleRules array

var placeholder = empty(image)
// Of our images, also while the placeholder stands there: azd then changes the image alone, and ours run as a user who
// may not listen under 1024.
var port = 8080
// The drain takes up to 25 s (HELIOGRAPH_DRAIN_S); the platform must not kill it before.
var drainSeconds = 25
var graceSeconds = drainSeconds + 10

var sharedSettings = [
  { name: 'AZURE_CLIENT_ID', value: identityClientId }
  { name: 'HELIOGRAPH_AZURE_MONITOR_CONNECTION_STRING', value: platform.insightsConnectionString }
  { name: 'HELIOGRAPH_HTTP_PORT', value: string(port) }
  { name: 'HELIOGRAPH_DRAIN_S', value: string(drainSeconds) }
  { name: 'HELIOGRAPH_EVENTHUB_NAMESPACE', value: '${platform.eventHubNamespace}.servicebus.windows.net' }
  { name: 'HELIOGRAPH_STORAGE_ACCOUNT', value: platform.storageAccount }
]

var installationSettings = [
  for setting in items(platform.settings): { name: setting.key, value: setting.value }
]

var secretSettings = [
  for secret in items(secrets): { name: secret.key, secretRef: toLower(replace(secret.key, '_', '-')) }
]
var vaultSecrets = [
  for secret in items(secrets): {
    name: toLower(replace(secret.key, '_', '-'))
    keyVaultUrl: secret.value
    identity: identityId
  }
]

var ipRules = [
  for (range, i) in platform.allowedIpRanges: {
    name: 'allowed-${i}'
    ipAddressRange: range
    action: 'Allow'
  }
]

var ingress = {
  external: true
  targetPort: port
  transport: 'auto'
  allowInsecure: false
  ipSecurityRestrictions: ipRules
  traffic: [{ latestRevision: true, weight: 100 }]
}

// What is not ready gets no request. The push API keeps readings on disk and the page shows what it has while a neighbour
// is away, so both must be asked then, too: they reach all neighbours once, at the start, and count as ready from then on.
var startPath = public ? '/readyz' : '/healthz'
var readyPath = public ? '/healthz' : '/readyz'
var probes = [
  {
    type: 'Startup'
    httpGet: { path: startPath, port: port }
    // A hundred seconds to start, in ten tries: more than ten are not documented to be taken.
    periodSeconds: 10
    timeoutSeconds: 6
    failureThreshold: 10
  }
  {
    type: 'Liveness'
    httpGet: { path: '/healthz', port: port }
    periodSeconds: 10
    timeoutSeconds: 3
    failureThreshold: 3
  }
  {
    type: 'Readiness'
    httpGet: { path: readyPath, port: port }
    periodSeconds: 10
    timeoutSeconds: 6
    failureThreshold: 3
  }
]

resource app 'Microsoft.App/containerApps@2026-01-01' = {
  name: 'ca-${service}'
  location: platform.location
  tags: union(platform.tags, { 'azd-service-name': service })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    environmentId: platform.environmentId
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      maxInactiveRevisions: 10
      registries: [{ server: platform.registryServer, identity: identityId }]
      ingress: public ? ingress : null
      secrets: empty(secrets) ? null : vaultSecrets
    }
    template: {
      terminationGracePeriodSeconds: graceSeconds
      containers: [
        {
          name: service
          image: placeholder ? 'mcr.microsoft.com/k8se/quickstart:latest' : image
          env: concat(sharedSettings, settings, installationSettings, secretSettings)
          probes: placeholder ? [] : probes
          resources: { cpu: json(cpu), memory: memory }
          volumeMounts: keepsFiles ? [{ volumeName: 'data', mountPath: '/data' }] : []
        }
      ]
      volumes: keepsFiles ? [{ name: 'data', storageType: 'EmptyDir' }] : []
      scale: {
        minReplicas: minReplicas
        maxReplicas: maxReplicas
        pollingInterval: 15
        cooldownPeriod: 300
        rules: scaleRules
      }
    }
  }
}

output id string = app.id
output name string = app.name
output host string = public ? app.properties.configuration.ingress.fqdn : ''
