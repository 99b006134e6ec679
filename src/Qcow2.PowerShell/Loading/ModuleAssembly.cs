using System.Management.Automation;

namespace Qcow2.PowerShell.Loading;

/// <summary>
/// Called by PowerShell when the module is imported into a runspace and removed from it. Each import adds one handler and
/// each removal takes one away, so that the last one leaves nothing behind.
/// </summary>
public sealed class ModuleAssembly : IModuleAssemblyInitializer, IModuleAssemblyCleanup
{
    /// <summary>The module was imported.</summary>
    public void OnImport() => PrivateDependencies.Register();

    /// <summary>The module is being removed.</summary>
    /// <param name="psModuleInfo">The module.</param>
    public void OnRemove(PSModuleInfo psModuleInfo) => PrivateDependencies.Unregister();
}
