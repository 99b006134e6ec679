using System.Text;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;

namespace Qcow2.Benchmarks;

/// <summary>One process's worth of the engine's work, to set beside one run of qemu-img.</summary>
internal static class ReadingCommands
{
    internal static void Convert(string source, string destination)
    {
        using var image = Qcow2Image.Open(source, Qcow2OpenOptions.Sequential);
        DiskConverter.ConvertToRaw(image, destination, overwrite: true);
    }

    /// <summary>The same text as <c>qemu-img map --output=json</c>, so that the two can be compared byte for byte.</summary>
    internal static void Map(string path, Stream output)
    {
        using var image = Qcow2Image.Open(path, Qcow2OpenOptions.Sequential);
        using var text = new StreamWriter(output, new UTF8Encoding(false), 1 << 16) { NewLine = "\n" };
        string separator = "[";
        foreach (DiskExtent extent in image.GetExtents())
        {
            string isPresent = Json(extent.Kind != ExtentKind.Unallocated);
            string isData = Json(extent.Kind == ExtentKind.Data);
            string isZero = Json(extent.Kind != ExtentKind.Data);
            text.Write($"{separator}{{ \"start\": {extent.Offset}, \"length\": {extent.Length}, \"depth\": {extent.Depth}, ");
            text.Write($"\"present\": {isPresent}, \"zero\": {isZero}, \"data\": {isData}");
            text.Write(extent.HostOffset is long offset ? $", \"offset\": {offset}}}" : "}");
            separator = ",\n";
        }

        text.WriteLine("]");
    }

    /// <summary>The numbers of <c>qemu-img check --output=json</c>, one on a line, those that are 0 left out as it does.</summary>
    internal static void Check(string path, TextWriter output)
    {
        Qcow2CheckResult result = Qcow2Checker.Check(path);
        foreach ((string name, long value) in (ReadOnlySpan<(string, long)>)
            [("image-end-offset", result.ImageEndOffset), ("total-clusters", result.TotalClusters), ("corruptions", result.Corruptions), ("leaks", result.Leaks),
             ("allocated-clusters", result.AllocatedClusters), ("fragmented-clusters", result.FragmentedClusters), ("compressed-clusters", result.CompressedClusters)])
        {
            if (value != 0)
            {
                output.WriteLine($"\"{name}\": {value}");
            }
        }
    }

    internal static void Info(string path, TextWriter output)
    {
        Qcow2ImageInfo info = Qcow2ImageInfo.Read(path);
        output.WriteLine($"{info.Path}: version {info.Version}, {info.Size} bytes, {info.AllocatedSize} on disk, clusters of {info.ClusterSize}");
    }

    internal static void InfoMany(string folder, TextWriter output)
    {
        long total = 0;
        int count = 0;
        foreach (string path in Directory.EnumerateFiles(folder, "*.qcow2"))
        {
            total += Qcow2ImageInfo.Read(path).AllocatedSize;
            count++;
        }

        output.WriteLine($"{count} images, {total} bytes");
    }

    internal static void OpenMany(string folder, TextWriter output)
    {
        Span<byte> sector = stackalloc byte[512];
        int count = 0;
        foreach (string path in Directory.EnumerateFiles(folder, "*.qcow2"))
        {
            using var image = Qcow2Image.Open(path);
            image.Read(0, sector);
            count++;
        }

        output.WriteLine($"{count} images");
    }

    private static string Json(bool value) => value ? "true" : "false";
}
