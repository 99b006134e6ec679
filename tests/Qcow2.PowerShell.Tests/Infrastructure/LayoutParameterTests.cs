using System.Management.Automation;
using System.Reflection;
using Qcow2.PowerShell.Commands;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>The parameters that lay out an image are declared by each cmdlet that has them; these are the same parameters.</summary>
public sealed class LayoutParameterTests
{
    private static readonly Type[] Cmdlets = [typeof(NewQcow2ImageCommand), typeof(MeasureQcow2ImageCommand), typeof(ConvertQcow2ImageCommand), typeof(ExportQcow2SnapshotCommand)];

    public static TheoryData<string> Shared => [.. LayoutNames];

    /// <summary>The names of the layout itself: what is layered on what, and with which passphrase, is said of files and differs.</summary>
    private static string[] LayoutNames { get; } =
    [
        "ClusterSizeBytes", "Preallocation", "CompressionType", "Version", "RefcountBits", "LazyRefcounts", "ExtendedL2", "Encryption",
        "CipherAlgorithm", "CipherMode", "IvGeneratorAlgorithm", "IvGeneratorHash", "HashAlgorithm", "IterationTimeMilliseconds",
        "LogicalSectorSizeBytes", "PhysicalSectorSizeBytes", "AdapterType", "AzureReady",
    ];

    [Fact]
    public void Every_cmdlet_that_makes_or_measures_an_image_has_the_layout()
    {
        Assert.All(Cmdlets, cmdlet => Assert.All(["LogicalSectorSizeBytes", "PhysicalSectorSizeBytes", "AdapterType", "AzureReady", "ClusterSizeBytes", "Preallocation", "Version", "RefcountBits", "ExtendedL2", "Encryption"], name => Assert.Contains(name, Parameters(cmdlet).Keys)));
        Assert.All(LayoutNames, name => Assert.Contains(Cmdlets, cmdlet => Parameters(cmdlet).ContainsKey(name)));
    }

    [Theory]
    [MemberData(nameof(Shared))]
    public void A_layout_parameter_is_the_same_in_each_cmdlet(string name)
    {
        string[] declared = [.. Cmdlets.Where(cmdlet => Parameters(cmdlet).ContainsKey(name)).Select(cmdlet => Declaration(cmdlet, Parameters(cmdlet)[name])).Distinct()];

        Assert.True(declared.Length == 1, string.Join("\n", declared));
    }

    [Fact]
    public void What_says_how_a_file_is_made_is_known_by_the_names_of_parameters()
    {
        Assert.All(Qcow2Layout.MeasuredNames, name => Assert.Contains(name, Parameters(typeof(MeasureQcow2ImageCommand)).Keys));
        Assert.All(Qcow2Layout.FileNames, name => Assert.Contains(name, Parameters(typeof(ConvertQcow2ImageCommand)).Keys));
        Assert.All(Qcow2Layout.FileNames, name => Assert.Contains(name, Parameters(typeof(NewQcow2ImageCommand)).Keys));
        Assert.All(DiskLayout.Names, name => Assert.Contains(Cmdlets, cmdlet => Parameters(cmdlet).ContainsKey(name)));
    }

    private static Dictionary<string, PropertyInfo> Parameters(Type cmdlet)
        => cmdlet.GetProperties().Where(property => property.IsDefined(typeof(ParameterAttribute))).ToDictionary(property => property.Name);

    /// <summary>The type, the default, and each attribute with its arguments.</summary>
    private static string Declaration(Type cmdlet, PropertyInfo property)
    {
        IEnumerable<string> attributes = property.GetCustomAttributesData()
            .Where(attribute => attribute.AttributeType.Namespace?.StartsWith("System.Runtime", StringComparison.Ordinal) != true).Select(attribute => attribute.ToString()).Order(StringComparer.Ordinal);
        return $"{property.PropertyType.Name} = {property.GetValue(Activator.CreateInstance(cmdlet))}: {string.Join(" ", attributes)}";
    }
}
