#if !NET
using System.Collections.Concurrent;
using System.Reflection;

namespace Qcow2.PowerShell.Loading;

/// <summary>
/// Finds the libraries that the module brings along for .NET Framework, where the host has none of the version that is asked
/// for. It answers for these names alone.
/// </summary>
internal static class PrivateDependencies
{
    private static readonly string[] Libraries =
    [
        "ZstdSharp", "System.Memory", "System.Buffers", "System.Numerics.Vectors", "System.Runtime.CompilerServices.Unsafe",
        "System.Threading.Tasks.Extensions",
    ];

    private static readonly ConcurrentDictionary<string, Assembly?> Loaded = new(StringComparer.Ordinal);

    internal static void Register() => AppDomain.CurrentDomain.AssemblyResolve += Resolve;

    internal static void Unregister() => AppDomain.CurrentDomain.AssemblyResolve -= Resolve;

    private static Assembly? Resolve(object sender, ResolveEventArgs request)
    {
        var wanted = new AssemblyName(request.Name);
        return Array.IndexOf(Libraries, wanted.Name) >= 0 ? Loaded.GetOrAdd(wanted.Name, Load) : null;
    }

    private static Assembly? Load(string name)
    {
        string folder = Path.GetDirectoryName(typeof(PrivateDependencies).Assembly.Location) ?? "";
        string path = Path.Combine(folder, "deps", name + ".dll");
        return File.Exists(path) ? Assembly.LoadFrom(path) : null;
    }
}
#endif
