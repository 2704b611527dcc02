// One right on the data of the database. Cosmos DB keeps its data-plane roles to itself, apart from Azure's.
param accountName string
param databaseName string
@allowed(['reader', 'contributor'])
param role string
param principalId string

var roleIds = {
  reader: '00000000-0000-0000-0000-000000000001' // Cosmos DB Built-in Data Reader
  contributor: '00000000-0000-0000-0000-000000000002' // Cosmos DB Built-in Data Contributor
}

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-10-15' existing = {
  name: accountName
}

resource assignment 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-10-15' = {
  parent: account
  name: guid(account.id, databaseName, principalId, role)
  properties: {
    principalId: principalId
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${roleIds[role]}'
    scope: '${account.id}/dbs/${databaseName}'
  }
}
