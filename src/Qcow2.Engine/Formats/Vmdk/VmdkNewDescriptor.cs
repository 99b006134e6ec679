using System.Globalization;
using System.Text;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>The descriptor of a new disk, as VMware's programs of today write it.</summary>
internal static class VmdkNewDescriptor
{
    /// <summary>The virtual hardware of ESXi 5.5 and Workstation 10: what every host that is still met knows.</summary>
    private const string HardwareVersion = "10";

    /// <summary>Guest tools that VMware's programs do not look after.</summary>
    private const string UnmanagedTools = "2147483647";

    private const string OtherTools = "4";

    /// <summary>Writes it.</summary>
    /// <param name="type">What is made.</param>
    /// <param name="adapter">The adapter.</param>
    /// <param name="extents">The extents, in the order of the disk.</param>
    /// <param name="newId">Makes ids.</param>
    internal static byte[] Write(VmdkCreateType type, VmdkAdapterType adapter, IReadOnlyList<VmdkNewExtent> extents, Func<Guid> newId)
    {
        string longContentId = LongContentId(newId());
        var text = new StringBuilder();
        Line("# Disk DescriptorFile");
        Line("version=1");
        Line("encoding=\"UTF-8\"");
        Line($"CID={longContentId.Substring(longContentId.Length - 8)}");
        Line("parentCID=ffffffff");
        Line($"createType=\"{NameOf(type)}\"");
        Line("");
        Line("# Extent description");
        foreach (VmdkNewExtent extent in extents)
        {
            Line(ExtentLine(type, extent));
        }

        var geometry = VmdkNewGeometry.Of(extents.Sum(extent => extent.Length) / VmdkLimits.SectorSize, adapter);
        Line("");
        Line("# The Disk Data Base ");
        Line("#DDB");
        Line("");
        Line($"ddb.adapterType = \"{NameOf(adapter)}\"");
        Line($"ddb.geometry.cylinders = \"{geometry.Cylinders.ToString(CultureInfo.InvariantCulture)}\"");
        Line($"ddb.geometry.heads = \"{geometry.Heads.ToString(CultureInfo.InvariantCulture)}\"");
        Line($"ddb.geometry.sectors = \"{geometry.Sectors.ToString(CultureInfo.InvariantCulture)}\"");
        Line($"ddb.longContentID = \"{longContentId}\"");
        Line($"ddb.toolsInstallType = \"{OtherTools}\"");
        Line($"ddb.toolsVersion = \"{UnmanagedTools}\"");
        Line($"ddb.uuid = \"{DiskId(newId())}\"");
        Line($"ddb.virtualHWVersion = \"{HardwareVersion}\"");
        return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false).GetBytes(text.ToString());

        void Line(string line) => text.Append(line).Append('\n');
    }

    /// <summary>Its last 32 bits are the content's short id, which must not be the one that stands for no disk.</summary>
    private static string LongContentId(Guid id)
    {
        string digits = id.ToString("N");
        return digits.EndsWith("fffffff", StringComparison.Ordinal) || digits.EndsWith("ffffffe", StringComparison.Ordinal) ? digits.Remove(31) + "0" : digits;
    }

    /// <summary>VMware's own prefix, then whatever tells the disk from others.</summary>
    private static string DiskId(Guid id)
    {
        byte[] bytes = id.ToByteArray();
        string[] pairs = [.. bytes.Select(value => value.ToString("x2", CultureInfo.InvariantCulture))];
        (pairs[0], pairs[1], pairs[2], pairs[3]) = ("60", "00", "C2", $"9{pairs[3][1]}");
        return string.Join(" ", pairs.Take(8)) + "-" + string.Join(" ", pairs.Skip(8));
    }

    private static string ExtentLine(VmdkCreateType type, VmdkNewExtent extent)
    {
        string sectors = (extent.Length / VmdkLimits.SectorSize).ToString(CultureInfo.InvariantCulture);
        return type switch
        {
            VmdkCreateType.MonolithicFlat or VmdkCreateType.TwoGbMaxExtentFlat => $"RW {sectors} FLAT \"{extent.FileName}\" 0",
            VmdkCreateType.VmfsFlat => $"RW {sectors} VMFS \"{extent.FileName}\"",
            _ => $"RW {sectors} SPARSE \"{extent.FileName}\"",
        };
    }

    private static string NameOf(VmdkCreateType type) => type switch
    {
        VmdkCreateType.MonolithicSparse => "monolithicSparse",
        VmdkCreateType.MonolithicFlat => "monolithicFlat",
        VmdkCreateType.TwoGbMaxExtentSparse => "twoGbMaxExtentSparse",
        VmdkCreateType.TwoGbMaxExtentFlat => "twoGbMaxExtentFlat",
        VmdkCreateType.StreamOptimized => "streamOptimized",
        VmdkCreateType.VmfsFlat => "vmfs",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "There is no such kind of VMDK disk."),
    };

    private static string NameOf(VmdkAdapterType adapter) => adapter switch
    {
        VmdkAdapterType.LsiLogic => "lsilogic",
        VmdkAdapterType.Ide => "ide",
        VmdkAdapterType.BusLogic => "buslogic",
        _ => throw new ArgumentOutOfRangeException(nameof(adapter), adapter, "There is no such adapter."),
    };
}
