using System.Management.Automation;
using System.Management.Automation.Runspaces;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Loading;

/// <summary>
/// Called by PowerShell when the module is imported into a runspace and removed from it. Each import adds one handler and
/// each removal takes one away, so that the last one leaves nothing behind.
/// </summary>
public sealed class ModuleAssembly : IModuleAssemblyInitializer, IModuleAssemblyCleanup
{
    /// <summary>The module was imported.</summary>
    public void OnImport() => PrivateDependencies.Register();

    /// <summary>The module is being removed: servers that this runspace started end. Those of others stay, of which a runspace may have ended long ago.</summary>
    /// <param name="psModuleInfo">The module.</param>
    public void OnRemove(PSModuleInfo psModuleInfo)
    {
        Guid runspace = Runspace.DefaultRunspace?.InstanceId ?? Guid.Empty;
        NbdServers.StopAll(server => server.RunspaceId == runspace);
        PrivateDependencies.Unregister();
    }
}
