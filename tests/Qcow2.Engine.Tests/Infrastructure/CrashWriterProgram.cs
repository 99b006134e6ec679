using System.Diagnostics;
using System.Reflection;

namespace Qcow2.Engine.Tests;

/// <summary>The program that tests start to end it.</summary>
internal static class CrashWriterProgram
{
    /// <summary>Its assembly, which dotnet starts.</summary>
    internal static string Assembly { get; } =
        typeof(CrashWriterProgram).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "CrashWriterPath").Value!;

    /// <summary>Where the tests were published for another system (build/test-windows.sh), it lies beside them with a runtime of its own.</summary>
    private static string Program => Path.Combine(AppContext.BaseDirectory, "CrashWriter", "Qcow2.Engine.CrashWriter.exe");

    internal static ProcessStartInfo Start(params string[] arguments)
        => File.Exists(Program) ? new ProcessStartInfo(Program, arguments) : new ProcessStartInfo("dotnet", [Assembly, .. arguments]);
}
