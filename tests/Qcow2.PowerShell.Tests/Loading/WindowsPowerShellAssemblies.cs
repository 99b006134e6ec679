using System.Reflection;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Qcow2.PowerShell.Tests.Loading;

/// <summary>
/// Finds assemblies as Windows PowerShell 5.1 does on a machine with .NET Framework 4.7.2 and nothing else: what the framework has, in no
/// version above its own; what the module's handler answers for, from deps/; and the host's own library. The reference assemblies say what the
/// framework has.
/// </summary>
internal sealed class WindowsPowerShellAssemblies : IAssemblyResolver
{
    private const string Host = "System.Management.Automation";

    private static readonly string Framework = Metadata("NetFrameworkPath");

    private readonly Dictionary<string, AssemblyDefinition> _loaded = [];
    private readonly HashSet<string> _answeredFor;

    internal WindowsPowerShellAssemblies(string folder)
    {
        Folder = folder;
        Module = [Load(Path.Combine(folder, "Qcow2.PowerShell.dll")), Load(Path.Combine(folder, "Qcow2.Engine.dll"))];
        Private = [.. Directory.GetFiles(Path.Combine(folder, "deps"), "*.dll").Select(Load)];
        TypeDefinition handler = Module[0].MainModule.GetType("Qcow2.PowerShell.Loading.PrivateDependencies");
        _answeredFor = [.. handler.Methods.Single(method => method.Name == ".cctor").Body.Instructions
            .Where(instruction => instruction.OpCode == OpCodes.Ldstr).Select(instruction => (string)instruction.Operand)];
    }

    internal string Folder { get; }

    internal AssemblyDefinition[] Module { get; }

    internal AssemblyDefinition[] Private { get; }

    public AssemblyDefinition Resolve(AssemblyNameReference name)
        => TryResolve(name) ?? throw new AssemblyResolutionException(name);

    public AssemblyDefinition Resolve(AssemblyNameReference name, ReaderParameters parameters) => Resolve(name);

    public void Dispose()
    {
        foreach (AssemblyDefinition assembly in _loaded.Values)
        {
            assembly.Dispose();
        }
    }

    private AssemblyDefinition? TryResolve(AssemblyNameReference name)
    {
        foreach (string place in new[] { Framework, Path.Combine(Framework, "Facades") })
        {
            string path = Path.Combine(place, name.Name + ".dll");
            if (File.Exists(path) && Load(path) is var found && found.Name.Version >= name.Version
                && found.Name.PublicKeyToken.AsSpan().SequenceEqual(name.PublicKeyToken))
            {
                return found;
            }
        }

        return name.Name == Host ? Load(Path.Combine(Metadata("WindowsPowerShellPath"), Host + ".dll"))
            : Module.Length == 2 && name.Name == Module[1].Name.Name ? Module[1]
            : _answeredFor.Contains(name.Name) ? Private.FirstOrDefault(assembly => assembly.Name.Name == name.Name)
            : null;
    }

    private AssemblyDefinition Load(string path)
    {
        if (!_loaded.TryGetValue(path, out AssemblyDefinition? assembly))
        {
            _loaded[path] = assembly = AssemblyDefinition.ReadAssembly(path, new ReaderParameters { AssemblyResolver = this });
        }

        return assembly;
    }

    private static string Metadata(string key)
        => typeof(WindowsPowerShellAssemblies).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(item => item.Key == key).Value!;
}
