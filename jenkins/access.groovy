/* groovylint-disable JavaIoPackageAccess */
// Sets what configuration as code cannot: the gateway's API token, and a file with the agent's secret, which Jenkins
// generates.
import hudson.model.User
import jenkins.model.Jenkins
import jenkins.security.ApiTokenProperty

// make secrets generates the token, "11" and 32 hexadecimal digits. It is the same at every start.
User user = User.getById('epochal', true)
ApiTokenProperty property = user.getProperty(ApiTokenProperty) ?: new ApiTokenProperty()
def old = property.tokenStore.tokenListSortedByName.findAll { it.name == 'gateway' }
old.each { property.tokenStore.revokeToken(it.uuid) }
property.tokenStore.addFixedNewToken('gateway', new File('/run/secrets/jenkins_token').text.trim())
user.addProperty(property)
user.save()

new File('/srv/agent/secret').text = Jenkins.get().getComputer('agent-1').jnlpMac
