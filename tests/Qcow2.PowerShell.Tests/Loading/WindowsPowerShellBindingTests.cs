using Mono.Cecil;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Loading;

/// <summary>
/// The build for Windows PowerShell 5.1 binds where only .NET Framework 4.7.2 is: every type and member that it names is there. What is missing
/// would show only when a cmdlet comes to it, on a machine that has no later framework.
/// </summary>
public sealed class WindowsPowerShellBindingTests : IDisposable
{
    private readonly WindowsPowerShellAssemblies _assemblies
        = new(Path.Combine(Path.GetDirectoryName(ModuleSession.Manifest)!, "bin", "net472"));

    public void Dispose() => _assemblies.Dispose();

    [Fact]
    public void Every_type_and_member_is_found()
    {
        string[] missing = [.. _assemblies.Module.Concat(_assemblies.Private).SelectMany(Missing)];

        Assert.True(missing.Length == 0, string.Join(Environment.NewLine, missing));
    }

    [Fact]
    public void Every_private_library_is_asked_for()
    {
        IEnumerable<string> asked = _assemblies.Module.Concat(_assemblies.Private)
            .SelectMany(assembly => assembly.MainModule.AssemblyReferences).Select(name => name.Name);

        Assert.Empty(_assemblies.Private.Select(assembly => assembly.Name.Name).Except(asked));
    }

    private static IEnumerable<string> Missing(AssemblyDefinition assembly)
    {
        foreach (TypeReference type in assembly.MainModule.GetTypeReferences())
        {
            if (!Exists(type.Resolve))
            {
                yield return $"{assembly.Name.Name}: {type.FullName} of {type.Scope}";
            }
        }

        foreach (MemberReference member in assembly.MainModule.GetMemberReferences())
        {
            // What an array has, the runtime makes.
            if (!member.DeclaringType.IsArray && !Exists(member.Resolve))
            {
                yield return $"{assembly.Name.Name}: {member.FullName} of {member.DeclaringType.Scope}";
            }
        }
    }

    private static bool Exists(Func<IMetadataTokenProvider?> resolve)
    {
        try
        {
            return resolve() is not null;
        }
        catch (AssemblyResolutionException)
        {
            return false;
        }
    }
}
