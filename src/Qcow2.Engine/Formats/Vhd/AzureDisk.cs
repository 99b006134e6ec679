using Qcow2.Engine.Formats.Vhd;

namespace Qcow2.Engine;

/// <summary>What Azure takes as a disk: a fixed VHD of whole MiB, of 20 MiB to 32 TiB. What an operating system needs there is not looked at.</summary>
/// <seealso cref="VhdCreateOptions.AzureReady"/>
public static class AzureDisk
{
    /// <summary>A disk has a whole number of these, a MiB. The file then has not, because of its footer.</summary>
    public const long SizeUnit = 1 << 20;

    /// <summary>The smallest disk, in bytes: 20 MiB.</summary>
    public const long MinSize = 20 << 20;

    /// <summary>The largest disk, in bytes: 32 TiB.</summary>
    public const long MaxSize = VhdNewLayout.MaxFixedSize;

    /// <summary>The smallest size of a disk that Azure takes and that has room for a disk of this size. Past <see cref="MaxSize"/> there is none.</summary>
    /// <param name="size">Bytes, no more than <see cref="MaxSize"/>.</param>
    public static long SizeFor(long size)
        => size is >= 0 and <= MaxSize
            ? Math.Max(MinSize, (size + SizeUnit - 1) & -SizeUnit)
            : throw new ArgumentOutOfRangeException(nameof(size), size, $"Azure takes disks of up to {MaxSize} bytes (32 TiB).");

    /// <summary>Says why Azure would not take a file; nothing if it would.</summary>
    /// <param name="image">What is known of the file.</param>
    /// <returns>A sentence for each reason.</returns>
    public static IReadOnlyList<string> ProblemsOf(Qcow2ImageInfo image)
    {
        if (image.Format != "vhd")
        {
            return [$"Azure takes VHD files only, and this is one in the format {image.Format}."];
        }

        var problems = new List<string>();
        if (image.Subformat != nameof(VhdDiskType.Fixed))
        {
            problems.Add($"Azure takes fixed VHD files only, and the type of this one is {image.Subformat}.");
        }
        else if (image.FileSize != image.Size + VhdFooter.Length)
        {
            problems.Add($"The file has {image.FileSize} bytes; a disk of {image.Size} bytes and the footer behind it have {image.Size + VhdFooter.Length}.");
        }

        if (image.Size % SizeUnit != 0)
        {
            problems.Add($"The disk has {image.Size} bytes, which is no whole number of MiB.");
        }

        if (image.Size is < MinSize or > MaxSize)
        {
            problems.Add($"The disk has {image.Size} bytes; Azure takes 20 MiB to 32 TiB.");
        }

        return problems;
    }
}
