#if NET
using System.Reflection;
using System.Runtime.Loader;

namespace Qcow2.PowerShell.Loading;

/// <summary>
/// Finds the one library that the module brings along, ZstdSharp, where the host has none, or an older one that another
/// module loaded: in a load context of its own, so that neither module gets in the other's way. The module's own
/// assemblies stay in the default context, where scripts can name their types and mock them.
/// </summary>
internal static class PrivateDependencies
{
    private const string Library = "ZstdSharp";

    private static readonly Lazy<Assembly?> Loaded = new(Load);

    internal static void Register() => AssemblyLoadContext.Default.Resolving += Resolve;

    internal static void Unregister() => AssemblyLoadContext.Default.Resolving -= Resolve;

    private static Assembly? Resolve(AssemblyLoadContext context, AssemblyName name)
        => string.Equals(name.Name, Library, StringComparison.Ordinal) ? Loaded.Value : null;

    /// <summary>The folder of an assembly that was compiled ahead for one system lies in that of all systems, and uses its library.</summary>
    private static Assembly? Load()
    {
        string folder = Path.GetDirectoryName(typeof(PrivateDependencies).Assembly.Location) ?? "";
        string? path = Array.Find(
            [Path.Combine(folder, "deps", Library + ".dll"), Path.Combine(Path.GetDirectoryName(folder) ?? "", "deps", Library + ".dll")], File.Exists);
        return path is null ? null : new AssemblyLoadContext("Qcow2 private dependencies").LoadFromAssemblyPath(path);
    }
}
#endif
