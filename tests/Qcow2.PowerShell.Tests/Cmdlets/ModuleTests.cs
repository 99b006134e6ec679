using System.Management.Automation;
using System.Reflection;
using System.Xml.Linq;
using Qcow2.Engine;
using Qcow2.PowerShell.Commands;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class ModuleTests(ModuleSession session) : IClassFixture<ModuleSession>
{
    private static readonly Type[] Cmdlets =
        [.. typeof(GetQcow2ImageCommand).Assembly.GetExportedTypes().Where(type => type.IsSubclassOf(typeof(PSCmdlet)) && !type.IsAbstract)];

    [Fact]
    public void The_manifest_names_every_cmdlet_and_alias()
    {
        PSObject module = Assert.Single(session.Run("Get-Module Qcow2").Output);
        var info = (PSModuleInfo)module.BaseObject;
        Assert.Equal(Cmdlets.Select(NameOf).Order(), info.ExportedCmdlets.Keys.Order());
        Assert.Equal(
            Cmdlets.SelectMany(type => type.GetCustomAttribute<AliasAttribute>()?.AliasNames ?? []).Order(),
            info.ExportedAliases.Keys.Order());
    }

    [Fact]
    public void The_manifest_has_the_version_of_the_assemblies()
    {
        var module = (PSModuleInfo)Assert.Single(session.Run("Get-Module Qcow2").Output).BaseObject;
        Assert.Equal(typeof(Qcow2Image).Assembly.GetName().Version!.ToString(3), module.Version.ToString());
        Assert.Equal(typeof(GetQcow2ImageCommand).Assembly.GetName().Version!.ToString(3), module.Version.ToString());
    }

    [Fact]
    public void Whatever_writes_can_be_asked_what_it_would_do()
    {
        foreach (Type cmdlet in Cmdlets.Where(type => NameOf(type).Split('-')[0] is not ("Get" or "Show" or "Test" or "Measure" or "Compare")))
        {
            Assert.True(cmdlet.GetCustomAttribute<CmdletAttribute>()!.SupportsShouldProcess, cmdlet.Name);
        }
    }

    [Fact]
    public void Nothing_static_changes()
    {
        // Several runspaces of one process use the same types at the same time.
        foreach (Type type in typeof(GetQcow2ImageCommand).Assembly.GetTypes().Where(type => !type.Name.StartsWith('<')))
        {
            Assert.All(
                type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly),
                field => Assert.True(field.IsInitOnly || field.IsLiteral || field.Name.StartsWith('<'), $"{type}.{field.Name}"));
        }
    }

    [Theory]
    [InlineData("Qcow2.Format.ps1xml", "TypeName")]
    [InlineData("Qcow2.Types.ps1xml", "Name")]
    public void Views_and_types_name_types_and_members_that_exist(string file, string element)
    {
        Assembly[] assemblies = [typeof(Qcow2Image).Assembly, typeof(GetQcow2ImageCommand).Assembly];
        XDocument document = XDocument.Load(Path.Combine(Path.GetDirectoryName(ModuleSession.Manifest)!, file));
        string[] names = [.. document.Descendants(element).Select(name => name.Value).Where(name => name.StartsWith("Qcow2.", StringComparison.Ordinal))];
        Assert.NotEmpty(names);
        Assert.All(names, name => Assert.Contains(assemblies, assembly => assembly.GetType(name) is not null));
        foreach (XElement view in document.Descendants("View"))
        {
            Type type = assemblies.Select(assembly => assembly.GetType(view.Descendants("TypeName").First().Value)).First(found => found is not null)!;
            Assert.All(view.Descendants("PropertyName"), property => Assert.NotNull(type.GetProperty(property.Value)));
        }
    }

    [Fact]
    public void Types_have_the_names_that_Hyper_V_users_know()
    {
        session.With("chain-top");
        object?[] values = [.. session.Run("$i = Get-Qcow2Image chain-top.qcow2; $i.BlockSize; $i.ParentFile").Output.Select(value => value.BaseObject)];
        Assert.Equal([512, session.File("chain-middle.qcow2")], values);
    }

    private static string NameOf(Type cmdlet)
    {
        CmdletAttribute attribute = cmdlet.GetCustomAttribute<CmdletAttribute>()!;
        return $"{attribute.VerbName}-{attribute.NounName}";
    }
}
