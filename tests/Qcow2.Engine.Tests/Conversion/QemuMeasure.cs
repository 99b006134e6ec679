using System.Globalization;
using System.Text.Json;
using Qcow2.Engine.Format;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>What <c>qemu-img measure</c> says.</summary>
internal sealed record QemuMeasure(long Required, long FullyAllocated, long? Bitmaps)
{
    private static readonly string[] Secret = ["--object", "secret,id=new,data=passphrase"];

    /// <summary>Measures what the arguments name: a size, or a source.</summary>
    internal static QemuMeasure Of(Qcow2CreateOptions options, params string[] source)
    {
        // QEMU looks for data files in the current folder.
        // For a LUKS header qemu-img measures how fast this machine is, which fails now and then where others use it, too.
        string[] arguments = ["measure", "--output=json", "-O", "qcow2", "-o", Layout(options), .. Secret, .. source];
        ProgramResult result = QemuImg.TryRunIn(Fixtures.Root, arguments);
        for (int i = 0; i < 20 && result.Error.Contains("accurate CPU usage", StringComparison.Ordinal); i++)
        {
            result = QemuImg.TryRunIn(Fixtures.Root, arguments);
        }

        return result.ExitCode == 0 ? Parse(result.Output) : throw new InvalidOperationException($"{string.Join(' ', arguments)}: {result.Error}");
    }

    internal static QemuMeasure OfRaw(params string[] source) => Parse(QemuImg.RunIn(Fixtures.Root, ["measure", "--output=json", "-O", "raw", .. source]));

    /// <summary>The arguments that name an image, with its passphrase and with a snapshot's id if they are given.</summary>
    internal static string[] Image(string path, string? passphrase = null, string? snapshot = null)
    {
        string[] id = snapshot is null ? [] : ["-l", $"snapshot.id={snapshot}"];
        return passphrase is null
            ? ["-f", "qcow2", .. id, path]
            : ["--object", $"secret,id=old,data={passphrase}", .. id, "--image-opts", $"driver=qcow2,file.filename={path},encrypt.key-secret=old"];
    }

    internal static void AssertEqual(QemuMeasure expected, Qcow2MeasureResult actual, string what)
        => Assert.True(
            (expected.Required, expected.FullyAllocated, expected.Bitmaps) == (actual.RequiredBytes, actual.FullyAllocatedBytes, actual.BitmapsBytes),
            $"{what}: {expected}, but we say {actual.RequiredBytes}, {actual.FullyAllocatedBytes}, {actual.BitmapsBytes}.");

    private static string Layout(Qcow2CreateOptions options)
    {
        string encryption = options.Encryption == EncryptionMethod.Luks ? ",encrypt.format=luks,encrypt.key-secret=new,encrypt.iter-time=10" : "";
        string backing = options.BackingFile is null ? "" : $",backing_file={options.BackingFile},backing_fmt={options.BackingFormat}";
        string data = options.DataFile is null ? "" : $",data_file={options.DataFile}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"compat={(options.Version == 2 ? "0.10" : "1.1")},cluster_size={options.ClusterSize},refcount_bits={options.RefcountBits},")
            + $"extended_l2={(options.ExtendedL2 ? "on" : "off")},preallocation={options.Preallocation.ToString().ToLowerInvariant()}{encryption}{backing}{data}";
    }

    private static QemuMeasure Parse(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;
        return new QemuMeasure(
            root.GetProperty("required").GetInt64(),
            root.GetProperty("fully-allocated").GetInt64(),
            root.TryGetProperty("bitmaps", out JsonElement bitmaps) ? bitmaps.GetInt64() : null);
    }
}
