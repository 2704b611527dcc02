// A monthly budget of the resource group, with mail at 80 % spent and at 100 % forecast.
param name string
@description('In the currency of the subscription.')
param amount int
param emails array
@description('First day of the month that the budget begins in.')
param startDate string
param actionGroupId string

// A template of its own, since the checks of this project know no types for Microsoft.Consumption.
#disable-next-line no-deployments-resources
resource budget 'Microsoft.Resources/deployments@2025-04-01' = {
  name: 'budget'
  properties: {
    mode: 'Incremental'
    template: loadJsonContent('budget.json')
    parameters: {
      name: { value: 'budget-${name}' }
      amount: { value: amount }
      emails: { value: emails }
      startDate: { value: startDate }
      actionGroupId: { value: actionGroupId }
    }
  }
}
