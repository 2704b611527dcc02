// What wakes somebody: an action group, and rules on what users would feel or what could lose data.
param name string
param location string
param tags object
param emails array
param workspaceId string
param eventHubNamespaceId string
param cosmosAccountId string
param appIds array

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'heliograph'
    emailReceivers: [
      for (email, i) in emails: {
        name: 'operator-${i}'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource throttledHub 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'hubs-throttled-${name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The hubs refuse traffic: the throughput units are used up and auto-inflate has reached its end.'
    severity: 2
    enabled: true
    scopes: [eventHubNamespaceId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'throttled'
          metricName: 'ThrottledRequests'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 10
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}

resource silentHub 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'hubs-silent-${name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'No event came in for a quarter of an hour: ingest is down, or every source is.'
    severity: 1
    enabled: true
    scopes: [eventHubNamespaceId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'incoming'
          metricName: 'IncomingMessages'
          timeAggregation: 'Total'
          operator: 'LessThan'
          threshold: 1
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}

resource throttledCosmos 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'cosmos-throttled-${name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Cosmos DB answers 429: the sink slows down and the page falls behind.'
    severity: 2
    enabled: true
    scopes: [cosmosAccountId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'refused'
          metricName: 'TotalRequests'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 100
          dimensions: [{ name: 'StatusCode', operator: 'Include', values: ['429'] }]
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}

resource restarts 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for appId in appIds: {
    name: 'restarts-${last(split(appId, '/'))}-${name}'
    location: 'global'
    tags: tags
    properties: {
      description: 'A service keeps restarting: a crash loop, or a probe that fails.'
      severity: 1
      enabled: true
      scopes: [appId]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: 'restarts'
            metricName: 'RestartCount'
            timeAggregation: 'Maximum'
            operator: 'GreaterThan'
            threshold: 3
          }
        ]
      }
      actions: [{ actionGroupId: people.id }]
    }
  }
]

var logAlerts = [
  {
    name: 'dead-letters'
    severity: 2
    description: 'Messages were put to the dead letters: see the container dead-letters for each with its reason.'
    query: 'ContainerAppConsoleLogs | where Log has "dead-lettered"'
    resolvesItself: true
  }
  {
    name: 'service-failed'
    severity: 1
    description: 'A service ended with an error of its own.'
    query: 'ContainerAppConsoleLogs | where Log has "service failed"'
    resolvesItself: true
  }
  {
    name: 'ingest-alarm'
    severity: 2
    description: 'A source keeps failing, or ingest has trouble with its outbox, its site registry or a hub. Said once, when it begins.'
    query: 'ContainerAppConsoleLogs | where Log has "alarm raised"'
    resolvesItself: false
  }
  {
    name: 'photos-poisoned'
    severity: 3
    description: 'Photos that no thumbnail could be made of went to the poison queue.'
    query: 'ContainerAppConsoleLogs | where Log has "photo poisoned"'
    resolvesItself: true
  }
]

resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in logAlerts: {
    name: '${alert.name}-${name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: alert.name
      description: alert.description
      severity: alert.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT5M'
      // The table comes into being with the first log line, after this rule.
      skipQueryValidation: true
      autoMitigate: alert.resolvesItself
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [people.id] }
    }
  }
]

output actionGroupId string = people.id
