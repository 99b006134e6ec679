using System.Text.Json;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>What qemu-img says of an image that we wrote.</summary>
internal static class QemuJudge
{
    /// <summary>Errors and leaks; (0, 0) where qemu-img is missing.</summary>
    internal static (int Corruptions, int Leaks, string Output) Check(string path, string? passphrase = null)
    {
        if (!QemuImg.IsAvailable)
        {
            return (0, 0, "");
        }

        ProgramResult result = QemuImg.TryRunIn(
            Path.GetDirectoryName(path)!, ["check", "--output=json", .. Source(path, passphrase)]);
        string all = result.Output + result.Error;
        if (!result.Output.TrimStart().StartsWith('{'))
        {
            return (1, 0, all);
        }

        using JsonDocument json = JsonDocument.Parse(result.Output);
        return (Number(json, "corruptions") + Number(json, "check-errors"), Number(json, "leaks"), all);
    }

    /// <summary>The disk as qemu-img reads it; null where it is missing.</summary>
    internal static byte[]? Read(string path, TempFolder folder, string? passphrase = null)
    {
        if (!QemuImg.IsAvailable)
        {
            return null;
        }

        string raw = folder.File("by-qemu.raw");
        QemuImg.RunIn(Path.GetDirectoryName(path)!, ["convert", "-O", "raw", .. Source(path, passphrase), raw]);
        byte[] content = File.ReadAllBytes(raw);
        File.Delete(raw);
        return content;
    }

    private static string[] Source(string path, string? passphrase) => passphrase is null
        ? ["-f", "qcow2", path]
        : ["--object", $"secret,id=key,data={passphrase}", "--image-opts", $"driver=qcow2,file.filename={path},encrypt.key-secret=key"];

    private static int Number(JsonDocument json, string name)
        => json.RootElement.TryGetProperty(name, out JsonElement value) ? value.GetInt32() : 0;
}
