using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>The cmdlets know the formats that the engine knows.</summary>
public sealed class FormatNamesTests
{
    [Fact]
    public void Each_format_of_the_engine_has_a_value_of_its_name()
        => Assert.Equal(
            DiskFormats.All.Select(format => format.Name).Order(StringComparer.Ordinal),
            Enum.GetNames<DiskImageFormat>().Select(name => name.ToLowerInvariant()).Order(StringComparer.Ordinal));

    [Fact]
    public void A_backing_file_can_have_each_format_of_the_engine_by_its_name_or_QEMUs()
    {
        string[] names = [.. DiskFormats.All.SelectMany(format => (string[])[format.Name, format.RecordedName]).Distinct().Order(StringComparer.Ordinal)];
        ValidateSetAttribute[] sets =
        [
            .. typeof(DiskImageFormat).Assembly.GetTypes().Select(type => type.GetProperty("BackingFormat"))
                .Where(property => property is not null && property.DeclaringType == property.ReflectedType)
                .Select(property => (ValidateSetAttribute?)Attribute.GetCustomAttribute(property!, typeof(ValidateSetAttribute)))
                .OfType<ValidateSetAttribute>(),
        ];

        Assert.Equal(3, sets.Length);
        Assert.All(sets, set => Assert.Equal(names, set.ValidValues.Order(StringComparer.Ordinal)));
    }
}
