using System.Globalization;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;

namespace Qcow2.Benchmarks;

/// <summary>Conversions into qcow2, to set beside <c>qemu-img convert -O qcow2</c>.</summary>
internal static class ConversionCommands
{
    /// <summary>Converts a disk; a file whose name ends in <c>.raw</c> is a raw disk.</summary>
    internal static void ToQcow2(string source, string destination, string[] how)
    {
        using VirtualDisk disk = source.EndsWith(".raw", StringComparison.Ordinal) ? RawDisk.Open(source) : Qcow2Image.Open(source, Qcow2OpenOptions.Sequential);
        var layout = new Qcow2CreateOptions { CompressionType = how.Contains("zstd") ? CompressionType.Zstd : CompressionType.Deflate };
        var options = new ConversionOptions { Compress = how.Contains("zstd") || how.Contains("deflate") };
        if (how.Length > 0 && int.TryParse(how[^1], CultureInfo.InvariantCulture, out int threads))
        {
            options = options with { ThrottleLimit = threads };
        }

        DiskConverter.ConvertToQcow2(disk, destination, layout, overwrite: true, options);
    }

    /// <summary>Converts any disk into a file of a format.</summary>
    internal static void To(string layout, string source, string destination)
    {
        DiskFormat format = DiskFormats.Recognize(source).Mark ?? DiskFormats.Raw;
        using VirtualDisk disk = format.Open(source, Qcow2OpenOptions.Sequential);
        DiskConverter.Convert(disk, destination, LayoutOf(layout), overwrite: true);
    }

    /// <summary>The numbers of <c>qemu-img measure</c>, in its words.</summary>
    internal static void Measure(string path, TextWriter output)
    {
        using Qcow2Image image = Qcow2Image.Open(path, Qcow2OpenOptions.Sequential);
        Qcow2MeasureResult result = ImageMeasure.ForDisk(image, Qcow2CreateOptions.Default, image);
        output.WriteLine($"required size: {result.RequiredBytes}");
        output.WriteLine($"fully allocated size: {result.FullyAllocatedBytes}");
        if (result.BitmapsBytes is long bitmaps)
        {
            output.WriteLine($"bitmaps size: {bitmaps}");
        }
    }

    private static DiskCreateOptions LayoutOf(string name) => name switch
    {
        "raw" => RawCreateOptions.Default,
        "qcow2" => Qcow2CreateOptions.Default,
        "vhdx" => VhdxCreateOptions.Default,
        "vhd" => VhdCreateOptions.Default,
        "vdi" => VdiCreateOptions.Default,
        "vmdk" => VmdkCreateOptions.Default,
        "stream" => new VmdkCreateOptions { CreateType = VmdkCreateType.StreamOptimized },
        _ => throw new ArgumentException($"{name} is no layout.", nameof(name)),
    };
}
